"""The command line: arguments, tables, progress, exit codes. Imports what a command needs only when it runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (README, "Exit codes")."""
    from syncd.cli.parser import build_parser

    parser = build_parser()
    arguments = parser.parse_args(argv)
    from syncd.cli.dispatch import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
