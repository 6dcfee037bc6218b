"""The arguments of every command. Nothing heavy is imported here, so that `--help` is quick."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from syncd import __version__
from syncd.cli.examples import epilog_of
from syncd.cli.speaking import in_the_reader_s_language
from syncd.lang.catalog import LANGUAGES, told
from syncd.lang.saying import say, say_as

_RUNS = 20
"""How many runs of each sync `history` shows."""
_CONFIG_HELP = say(
    "config file (default: $SYNCD_CONFIG, ./syncd.toml, ~/.config/syncd/config.toml, /etc/syncd/config.toml)"
)
_EVERY = say("options of every command")
_FILE, _NAME = say_as("placeholder", "FILE"), say_as("placeholder", "NAME")
_PORT = say_as("placeholder", "PORT")
_WHO = say_as("placeholder", "WHO")
_TIME = say_as("placeholder", "TIME")
_RUN_ID = say_as("placeholder", "RUN_ID")
_PLACE = say_as("placeholder", "URL|PATH")
_SOURCE = say_as("placeholder", "FILE|URL")
_COST = say_as("placeholder", "METHOD=SECONDS")
_FAULT = say_as("placeholder", "KIND[:key=value,...]")
_SWITCH = say_as("placeholder", "NAME=POSITION")
_WHAT = say_as("placeholder", "WHAT")
_DIR = say_as("placeholder", "DIR")
_PORTAL = say_as("placeholder", "PORTAL")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of `syncd`; a usage error exits with code 2."""
    parser = argparse.ArgumentParser(
        prog="syncd", description=say("Keeps Bitrix24 calendars in step with a schedule that is kept elsewhere.")
    )
    _of_every_command(parser)
    parser.set_defaults(config=None, verbose=0, quiet=False, log_format="auto")
    parser.add_argument(
        "--version",
        action="version",
        version=f"syncd {__version__}",
        help=say("show program's version number and exit"),
    )
    commands = parser.add_subparsers(dest="command", metavar=say_as("placeholder", "COMMAND"), title=say("commands"))

    _add_first_steps(commands)
    check = commands.add_parser("check", help=say("find everything that would stop a sync, one line each"))
    _names(check)
    check.add_argument("--offline", action="store_true", help=say("do not ask the portals"))
    _json(check)

    plan = commands.add_parser("plan", help=say("show what would change and why; changes nothing"))
    _names(plan)
    _reading(plan)
    plan.add_argument("--out", type=_file, metavar=_FILE, help=say("pin the plan, for `sync --plan FILE`"))
    _json(plan)

    sync = commands.add_parser("sync", help=say("make one pass, then exit"))
    _names(sync)
    _reading(sync)
    sync.add_argument("--plan", type=Path, metavar=_FILE, help=say("do exactly what was pinned, else exit with code 4"))
    _force(sync)
    sync.add_argument("--report", type=_file, metavar=_FILE, help=say("write a CSV with one row per entry"))
    _json(sync)

    _add_bulk(commands)
    commands.add_parser("run", help=say("run as a daemon: make passes by the schedules of the config"))

    _add_looking(commands)
    _add_state(commands)
    _add_steering(commands)
    _add_leases(commands)

    _add_portal(commands)
    _add_source(commands)
    _add_sandbox(commands)
    _add_install(commands)
    commands.add_parser("version", help=say("print the versions of syncd, Python and the main libraries"))
    for name, command in commands.choices.items():
        command.epilog = epilog_of(name, command.epilog)
        command.formatter_class = argparse.RawDescriptionHelpFormatter  # keeps the lines of the examples
        _of_every_command(command.add_argument_group(_EVERY))
        for below, one in _below(command):
            one.epilog = epilog_of(f"{name} {below}", one.epilog)
            one.formatter_class = argparse.RawDescriptionHelpFormatter
    return in_the_reader_s_language(parser)


def _below(command: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield the commands below a command, such as `move` of `state`."""
    for action in command._actions:  # argparse has no other way to them
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def parsed(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Parse a command line. Options that contradict each other are a usage error like any other."""
    found = parser.parse_args(words)
    match found.command:
        case "report":
            if found.json and found.format not in (None, "json"):
                parser.error(
                    told(
                        say(
                            "--json and --format {format} exclude each other: leave out one of them",
                            format=found.format,
                        )
                    )
                )
            found.format = found.format or ("json" if found.json else "csv")
        case "history":
            if found.run_id is not None and found.last is not None:
                parser.error(told(say("--last has no effect with --run, which shows one run: leave out one of them")))
            found.last = found.last or _RUNS
    return found


def _add_first_steps(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands that need no config yet."""
    demo = commands.add_parser(
        "demo", help=say("sync three sample schedules into a simulated portal and show the result")
    )
    demo.add_argument(
        "--port",
        type=_port,
        metavar=_PORT,
        help=say("port of the simulated portal (default: 8724, or any free one)"),
    )
    demo.add_argument("--app", action="store_true", help=say("call the portal by an application in place of a webhook"))
    demo.add_argument("--no-wait", action="store_true", help=say("exit when the sync is done"))

    init = commands.add_parser("init", help=say("write a commented config after looking at a schedule and a portal"))
    init.add_argument(
        "--source",
        metavar=_SOURCE,
        help=say(
            "the schedule: csv, xlsx, ics or json, a file or an address, or a database; or what logs in to Google (a"
            " key or client in json) or Microsoft 365 (a key with its certificate in pem)"
        ),
    )
    init.add_argument(
        "--webhook", metavar="URL", help=say("the portal's inbound webhook, to see its people and groups")
    )
    init.add_argument(
        "-o", dest="out", type=_file_or_stdout, metavar=_FILE, help=say("where to write it (default: stdout)")
    )


def _add_portal(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command that looks at a portal, or authorises an application."""
    portal = commands.add_parser(
        "portal", help=say("list what the portal has, ask how it behaves, or authorize an application")
    )
    _choice(portal, "what", ("owners", "sections", "limits", "probe", "authorize"))
    portal.add_argument(
        "name", nargs="?", metavar=_NAME, help=say("`authorize` the application of this [portals.NAME]")
    )
    portal.add_argument("--portal", metavar=_NAME, help=say("which [portals.NAME] (default: the only one)"))
    portal.add_argument("--calendar", choices=("user", "group", "company"),
                        help=say("whose calendars `sections` lists (default: user)"))  # fmt: skip
    portal.add_argument("--owner", metavar=_WHO, help=say("`sections` of this owner only: id, e-mail or name"))
    portal.add_argument(
        "--unresolved",
        metavar=_NAME,
        help=say("`owners` this sync names that the portal does not know, as an owners_file"),
    )
    portal.add_argument("--keep", action="store_true", help=say("`probe` leaves its scratch section, to look at"))
    portal.add_argument(
        "--yes", action="store_true", help=say("`probe` does not ask; `authorize` takes no second set of tokens")
    )
    portal.add_argument("--force", action="store_true", help=say("`authorize` takes another portal than before"))
    _json(portal)


def _of_every_command(parser: argparse._ActionsContainer) -> None:
    """Add the options that may come before the command and after it; if they are absent they set nothing."""
    absent = argparse.SUPPRESS
    parser.add_argument("--config", type=Path, metavar=_FILE, default=absent, help=_CONFIG_HELP)
    parser.add_argument(
        "--lang",
        "--language",
        choices=tuple(LANGUAGES),
        default=absent,
        help=say("language of messages, help and texts in reports (default: $SYNCD_LANG, the config's, the system's)"),
    )
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("-v", "--verbose", action="count", default=absent, help=say("more log lines (twice: all)"))
    loudness.add_argument("-q", "--quiet", action="store_true", default=absent, help=say("only errors in the log"))
    parser.add_argument(
        "--log-format", choices=("auto", "console", "json"), default=absent, help=say("log lines on stderr")
    )


def _add_looking(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands that only look at the state."""
    status = commands.add_parser("status", help=say("show the last and next pass, held entries and operating time"))
    _names(status)
    _json(status)
    history = commands.add_parser("history", help=say("show the last runs, or what one run changed"))
    _names(history)
    history.add_argument(
        "--run", dest="run_id", type=_number, metavar="N", help=say("what run N changed, field by field")
    )
    history.add_argument("--last", type=_count, metavar="N", help=say("so many runs of each sync (default: 20)"))
    _json(history)
    report = commands.add_parser("report", help=say("one report over all syncs: what was done, and how each stands"))
    _names(report)
    report.add_argument(
        "--since",
        default="1d",
        metavar=_TIME,
        help=say('how far back, as in "12h" or "30d" (default: 1d)'),
    )
    report.add_argument("--format", choices=("csv", "json", "html"), help=say("default: csv"))
    _json(report)


def _add_source(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands about the source of a sync."""
    source = commands.add_parser("source", help=say("let a sync read somebody's calendars at Google or Microsoft"))
    what = source.add_subparsers(dest="what", metavar=_WHAT, required=True)
    authorize = what.add_parser(
        "authorize", help=say("agree in a browser, and keep the token in the source's token_file")
    )
    authorize.add_argument("name", metavar=_NAME, help=say("the sync whose source it is"))
    authorize.add_argument(
        "--out",
        type=_file,
        metavar=_FILE,
        help=say("where to keep the token instead; an earlier one there is replaced"),
    )
    _of_every_command(authorize.add_argument_group(_EVERY))


def _add_state(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands about the state itself."""
    state = commands.add_parser(
        "state",
        help=say("back up or move the state, or look whether it is sound"),
        epilog=say("backup and check work beside a running daemon. All print one JSON document with --json."),
    )
    what = state.add_subparsers(dest="what", metavar=_WHAT, required=True)
    backup = what.add_parser("backup", help=say("copy the state to a file, also while the daemon works with it"))
    backup.add_argument("file", type=_file, metavar=_FILE, help=say("where to; an earlier backup there is replaced"))
    _json(backup)
    check = what.add_parser("check", help=say("read the whole state and compare every row with its checksum"))
    _json(check)
    move = what.add_parser(
        "move",
        help=say("move the state into a PostgreSQL database, or back into a file; the old one refuses afterwards"),
        epilog=say("A password is best left to ~/.pgpass; file:PATH, env:NAME and credential:NAME lead to an address."),
    )
    move.add_argument(
        "--to",
        required=True,
        metavar=_PLACE,
        help=say("postgresql://USER@HOST/DATABASE, or a file"),
    )
    move.add_argument(
        "--schema", default="syncd", metavar=_NAME, help=say("the schema in the database; default: syncd")
    )
    _json(move)
    for one in (backup, check, move):
        _of_every_command(one.add_argument_group(_EVERY))


def _add_leases(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands about which of several machines writes to which portal."""
    lease = commands.add_parser(
        "lease",
        help=say("show which machine holds which portal, or have one given back"),
        epilog=say(
            "Both are for a state in PostgreSQL that several machines share; `list` prints a document with --json."
        ),
    )
    what = lease.add_subparsers(dest="what", metavar=_WHAT, required=True)
    listing = what.add_parser("list", help=say("show who holds what since when, and which machines are alive"))
    _json(listing)
    release = what.add_parser("release", help=say("have a portal given back, so that another machine takes it"))
    release.add_argument("portal", metavar=_PORTAL, help=say("which [portals.NAME]"))
    for one in (listing, release):
        _of_every_command(one.add_argument_group(_EVERY))


def _force(command: argparse.ArgumentParser) -> None:
    command.add_argument("--force", action="store_true", help=say("go past the safety guards, once"))


def _reading(command: argparse.ArgumentParser) -> None:
    """Add the options that ask for more reading than a pass needs."""
    command.add_argument("--verify", action="store_true", help=say("read the portal's events first"))
    command.add_argument(
        "--fresh", action="store_true", help=say("read all of the source, even if it seems to be the same")
    )


def _add_bulk(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands that ask before they change much."""
    migrate = commands.add_parser(
        "migrate", help=say("make one bulk pass: asks, can be stopped, reads everything back")
    )
    _names(migrate)
    migrate.add_argument(
        "--report", type=_file, metavar=_FILE, help=say("write a CSV with one row per entry, read back")
    )
    _yes(migrate)
    _json(migrate)

    undo = commands.add_parser("undo", help=say("take back what one run did; what people changed since is left"))
    undo.add_argument("run_id", type=_number, metavar=_RUN_ID, help=say("number of the run, as `sync` prints it"))
    _yes(undo)
    _force(undo)
    _json(undo)

    purge = commands.add_parser("purge", help=say("delete everything one sync created, and nothing else"))
    purge.add_argument("name", metavar=_NAME, help=say("the sync"))
    _yes(purge)
    _force(purge)
    _json(purge)


def _add_sandbox(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    sandbox = commands.add_parser("sandbox", help=say("serve a simulated portal with a calendar page"))
    sandbox.add_argument(
        "--port",
        type=_port,
        metavar=_PORT,
        default=8724,
        help=say("port to listen on (0: any free one)"),
    )
    contents = sandbox.add_mutually_exclusive_group()
    contents.add_argument(
        "--world", type=Path, metavar=_FILE, help=say("JSON file with its people, calendars and events")
    )
    contents.add_argument(
        "--from-portal",
        metavar=_NAME,
        help=say("the people, groups and sections of this [portals.NAME], without events"),
    )
    sandbox.add_argument(
        "--export", type=Path, metavar=_FILE, help=say("write what it contains as a world file, and exit")
    )
    sandbox.add_argument("--tariff", choices=("standard", "enterprise", "self-hosted"), help=say("(default: standard)"))
    sandbox.add_argument("--cost", action="append", default=[], metavar=_COST,
                         help=say("server time one call of METHOD takes; may be repeated"))  # fmt: skip
    sandbox.add_argument("--fault", action="append", default=[], metavar=_FAULT,
                         help=say("inject a fault; may be repeated (`--fault help` lists them)"))  # fmt: skip
    sandbox.add_argument("--waf", action="store_true", help=say("switch the text filter on"))
    sandbox.add_argument(
        "--switch",
        action="append",
        default=[],
        metavar=_SWITCH,
        help=say("behave as other portals do; may be repeated (`--switch help` lists them)"),
    )
    sandbox.add_argument("--like", type=Path, metavar=_FILE,
                         help=say("behave as a real portal does, by the document of `syncd portal probe`"))  # fmt: skip


def _add_install(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands that fit syncd into a machine and a shell."""
    service = commands.add_parser("service", help=say("install the systemd units of this syncd"))
    what = service.add_subparsers(dest="what", metavar=_WHAT, required=True)
    install = what.add_parser(
        "install", help=say("write the units, make the user and the directories, say what is left")
    )
    install.add_argument("--root", type=Path, metavar=_DIR,
                         help=say("write below this directory, and run nothing (for packages and images)"))  # fmt: skip
    install.add_argument(
        "--force", action="store_true", help=say("replace what was changed by hand; it stays as FILE.old")
    )

    completion = commands.add_parser(
        "completion", help=say("print what makes a shell complete syncd's commands and names")
    )
    _choice(completion, "shell", ("bash", "zsh", "fish"))


def _add_steering(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands about what the next passes do, and when the daemon makes them."""
    retry = commands.add_parser("retry", help=say("release held entries, so that the next pass tries them again"))
    _names(retry)
    poke = commands.add_parser("poke", help=say("have the running daemon make a pass now"))
    _names(poke, needed=True)
    pause = commands.add_parser("pause", help=say("leave syncs alone until they are resumed, also over restarts"))
    _names(pause, needed=True)
    resume = commands.add_parser("resume", help=say("let paused syncs go on"))
    _names(resume, needed=True)


def _names(parser: argparse.ArgumentParser, *, needed: bool = False) -> None:
    """Add NAME... and --portal. If names are `needed`, leaving them out must not mean all syncs."""
    parser.add_argument(
        "names",
        nargs="+" if needed else "*",
        metavar=_NAME,
        help=say("only these syncs; may be a pattern as in 'north-*'"),
    )
    parser.add_argument("--portal", metavar=_NAME, help=say("only syncs of this [portals.NAME]"))


def _yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help=say("do not ask"))


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help=say("one JSON document on stdout"))


def _choice(parser: argparse.ArgumentParser, name: str, choices: tuple[str, ...]) -> None:
    """Add an argument that errors call by its choices, as the usage line does; its name is only an identifier."""
    parser.add_argument(name, choices=choices, metavar="{" + ",".join(choices) + "}")


def _file_or_stdout(text: str) -> Path | None:
    return None if text == "-" else Path(text)


def _file(text: str) -> Path:
    if text == "-":  # stdout has what the command tells
        raise argparse.ArgumentTypeError(told(say("name a file; this one is not written to stdout")))
    return Path(text)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(told(say("{text!r} is no whole number", text=text)))
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 10_000:
        raise argparse.ArgumentTypeError(told(say("{text!r} is no number from 1 to 10000", text=text)))
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(told(say("{text!r} is not a port (0 to 65535)", text=text)))
    return int(text)
