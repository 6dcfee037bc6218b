"""The command line: arguments, tables, progress, exit codes. What a command needs is imported when it runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncd.scrub import Scrubber


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (README, "Exit codes"); raises SystemExit for a wrong command line."""
    from syncd.cli.outlet import outlets
    from syncd.scrub import Scrubber

    scrubber = Scrubber()
    with outlets(scrubber):  # from the first word on: a message about the command line repeats it
        return _main(sys.argv[1:] if argv is None else argv, scrubber)


def _main(given: Sequence[str], scrubber: Scrubber) -> int:
    from syncd.cli.parser import build_parser

    parser = build_parser()
    try:
        arguments = parser.parse_args(given)
    except SystemExit as stopped:
        if stopped.code and "--json" in given:  # a script that reads the document has to find one
            print('{"error": "the command line is wrong; stderr says why", "remedy": "syncd --help", "exit_code": 2}')
        raise
    from syncd.cli.execute import run

    return run(arguments, scrubber)


if __name__ == "__main__":
    sys.exit(main())
