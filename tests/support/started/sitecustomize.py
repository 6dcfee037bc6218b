"""Run by Python when it starts, in the programs of tests that are measured: see `tests/support/measuring.py`."""

from tests.support.measuring import begin_program

begin_program()
