"""The command line: arguments, tables, progress, exit codes. What a command needs is imported when it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncd.scrub import Scrubber


DEFECT = 70
"""The exit code of a traceback (EX_SOFTWARE, man sysexits.h)."""
_OUT_OF_MEMORY = 7
"""OutOfMemoryError.exit_code, known without an import, for which there may be no memory."""
_LAST_WORDS = b"error: there is no memory left, not even to say more; let syncd have more (MemoryMax= in its unit)\n"
_LAST_DOCUMENT = b'{"error": "there is no memory left", "remedy": "let syncd have more", "exit_code": 7}\n'
"""What is written where there is no memory for a sentence, its language and its outlet."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (README, "Exit codes"); raises SystemExit for a wrong command line."""
    given = sys.argv[1:] if argv is None else argv
    if argv is None:  # in a process of our own
        sys.unraisablehook = _unraisable
    try:
        return _told(given)
    except MemoryError:
        os.write(2, _LAST_WORDS)
        if "--json" in given:
            os.write(1, _LAST_DOCUMENT)
        return _OUT_OF_MEMORY


def _unraisable(ignored: sys.UnraisableHookArgs) -> None:
    """Tell of an error that nobody can catch, unless it is want of memory, which is told where it can be caught."""
    if ignored.exc_type is not MemoryError:
        sys.__unraisablehook__(ignored)


def _told(given: Sequence[str]) -> int:
    """Run one command, telling whatever goes wrong; raises MemoryError if there is none left for that."""
    import traceback

    from syncd.cli.outlet import outlets
    from syncd.cli.speaking import speaking
    from syncd.lang.catalog import told
    from syncd.lang.saying import say
    from syncd.scrub import Scrubber

    scrubber = Scrubber()
    with outlets(scrubber), speaking(given):  # at once, because a message about the command line repeats it
        try:
            return _main(given, scrubber)
        except Exception as error:  # noqa: BLE001 - the last one there is: Python would print it beside the outlets
            from syncd.errors import OutOfMemoryError, for_want_of_memory
            from syncd.log import ranked

            if for_want_of_memory(error):  # before the loop began, as in an import
                from syncd.cli.execute import print_error

                print_error(OutOfMemoryError(), as_json="--json" in given)
                return OutOfMemoryError.exit_code

            sys.stderr.write(ranked(scrubber.text(traceback.format_exc()).rstrip("\n"), "critical", sys.stderr) + "\n")
            said = say("syncd: that is a defect of syncd; nothing has to be repaired by hand")
            print(told(said), file=sys.stderr)
            if "--json" in given:
                _print_json(say("a defect of syncd; stderr says where"), "", DEFECT)
            return DEFECT


def _main(given: Sequence[str], scrubber: Scrubber) -> int:
    from syncd.cli.parser import build_parser, parsed

    parser = build_parser()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks for completions
        from syncd.cli.completer import complete

        complete(parser)
    try:
        arguments = parsed(parser, given)
    except SystemExit as stopped:
        if stopped.code and "--json" in given:  # a script that reads the document must find one
            from syncd.lang.saying import say

            _print_json(say("the command line is wrong; stderr says why"), "syncd --help", 2)
        raise
    if arguments.command is None:
        parser.print_help(sys.stderr)
        return 2
    from syncd.cli.execute import run

    return run(arguments, scrubber)


def _print_json(error: str, remedy: str, exit_code: int) -> None:
    import json

    from syncd.lang.catalog import told

    document = {"error": told(error), "remedy": remedy, "exit_code": exit_code}
    print(json.dumps(document, ensure_ascii=False))


if __name__ == "__main__":
    sys.exit(main())
