"""The recurrence compiler: from rules and exceptions to the fewest pieces the portal shows exactly (PORTAL.md 4.7).

Pure values in, pure values out: same arguments, same pieces. Knows nothing of requests, ledgers or the simulator.
"""

from syncd.model.recurrence.compile import MOST_PIECES, compile_entry
from syncd.model.recurrence.memory import CompilerMemory
from syncd.model.recurrence.piece import Compiled, Piece

__all__ = ["MOST_PIECES", "Compiled", "CompilerMemory", "Piece", "compile_entry"]
