"""Tables for people: coloured on a terminal, otherwise plain. Text from feeds is never read as rich's markup.

Nor does it act on the terminal: everything printed here is cleaned (`outlet.shown`) before it is laid out, because a
secret that is folded into two lines could not be recognised any more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any, Literal, TextIO, cast

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from syncd.app.words import KINDS, ending, field, numbered
from syncd.cli.outlet import shown
from syncd.cli.times import clock_time, duration, when
from syncd.errors import SyncdError
from syncd.lang.catalog import told
from syncd.lang.saying import say, say_as, say_count
from syncd.model.alike import alike
from syncd.model.entry import Problem
from syncd.model.item import Change, Item, Link, Place, responsible_of
from syncd.model.json_values import Json
from syncd.model.labels import LABELS
from syncd.model.record import RunRecord
from syncd.model.removal import KEPT

if TYPE_CHECKING:  # only commands that make passes load what makes them
    from syncd.cycle.prepared import Prepared
    from syncd.cycle.run import PassResult
    from syncd.portal.limits.forecast import Forecast
    from syncd.portal.people.directory import Directory

_TITLES = (
    "",
    say_as("column", "when"),
    say_as("column", "what"),
    say_as("column", "calendar"),
    say_as("column", "where"),
    say_as("column", "why"),
)
_UNBROKEN = ("when", "where")
_NO_TITLE, _NOTHING = say("(no title)"), say_as("value", "nothing")
_SHOWN_CHANGES = 40
_SHOWN_PROBLEMS = 30
_SHOWN_PLACES = 3
_STYLES = {"create": "green", "update": "yellow", "delete": "red", "adopt": "cyan"}
_SIGNS = {"create": "+", "update": "~", "delete": "-", "adopt": "="}
_KIND_STYLES = {
    "rejected": "red", "held": "yellow", "skipped": "yellow", "conflict": "magenta", "incomplete": "red",
    "warning": "yellow",
}  # fmt: skip
_FIELDS = {name: at for at, name in enumerate(LABELS)}
"""The place of each field among those of a change: what an event is called and when it is come first."""
_ZONED = {"start": "zone_from", "end": "zone_to"}
_SHOWN_PEOPLE = 5
_SHOWN_KEPT = 20
_PLAIN_WIDTH = 160  # rich would assume 80 columns and fold every title in a file or a mail
_ROOMY = 76
"""Terminals with at least so many columns keep times and places on one line each."""
_DEEPER = 4


class Results(Console):
    """Prints only what is fit to be shown. Whoever makes a table has to clean its cells."""

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401 - as rich has it
        """Print `objects` as `Console.print` does."""
        super().print(*(_fit(one) for one in objects), **options)


def console(*, stderr: bool = False) -> Console:
    """Return the console for results: stdout, wide enough for a table if it is not a terminal; or stderr."""
    if stderr or sys.stdout.isatty():
        # rich would colour numbers and paths within texts of a feed, and make a picture of "old.csv:100:".
        return Results(stderr=stderr, highlight=False, emoji=False)
    return Results(highlight=False, emoji=False, width=_PLAIN_WIDTH, no_color=True)


def console_to(file: TextIO, *, columns: int, terminal: bool, colours: str) -> Console:
    """Return the console for results on somebody else's screen, laid out as `console` would there."""
    if not terminal:
        return Results(file=file, highlight=False, emoji=False, width=_PLAIN_WIDTH, no_color=True, force_terminal=False)
    system = cast(Literal["standard", "256", "truecolor", "windows"] | None, colours or None)
    return Results(
        file=file,
        highlight=False,
        emoji=False,
        width=columns,
        color_system=system,
        no_color=not colours,
        force_terminal=True,
    )


def _fit(one: object) -> object:
    match one:
        case str():
            return shown(one)
        case Text():
            return _fit_text(one)
        case _:
            return one


def _fit_text(text: Text) -> Text:
    """Return `text` fit to be shown, with the styles it has."""
    fit = shown(text.plain)
    if fit == text.plain:
        return text
    base = str(text.style)
    edges = sorted({edge for span in text.spans for edge in (span.start, span.end)} - {0, len(text)})
    pieces = text.divide(edges) if edges else (text,)
    styles = [" ".join([base, *(str(span.style) for span in piece.spans)]).strip() for piece in pieces]
    styled = Text.assemble(*((shown(piece.plain), style) for piece, style in zip(pieces, styles, strict=True)))
    return styled if styled.plain == fit else Text(fit, style=text.style)  # a secret may reach over two styles


def plan(out: Console, prepared: Prepared, *, zone: str | None, shown: int = _SHOWN_CHANGES) -> None:
    """Print one plan: counts, changes field by field, problems, and the cost; times in the sync's `zone`."""
    counts = prepared.counts
    line(out, Text(prepared.sync, style="bold").append(f": {told(_counts(counts))}", style="not bold"))
    if not prepared.snapshot.complete:
        why = f" {told(prepared.snapshot.incomplete_because)}"
        line(out, Text(told(say("  source incomplete:")), style="red").append(why, style="not red"))
    changes = prepared.plan.changes
    change_table(out, changes, zone=zone, shown=shown, directory=prepared.directory)
    problems(out, prepared.problems)
    kept(out, prepared.plan.kept)
    if changes:
        sections = say_count("{count:,} new section", "{count:,} new sections", prepared.new_sections)
        estimate(out, prepared.forecast, (sections if prepared.new_sections else None, _notices(prepared)))


def change_table(
    out: Console,
    changes: Sequence[Change],
    *,
    zone: str | None,
    shown: int = _SHOWN_CHANGES,
    directory: Directory | None = None,
    places: bool = True,
) -> None:
    """Print changes, one row each. What became of a series is printed with its first item.

    Without `places` the column of places in the source is left out: what is taken back may have moved there since.
    Times are in `zone`, which is named below the table; without one each has its own offset. `directory` gives the
    names of the owners. A reason that all changes share is printed once, below the table.
    """
    if not changes:
        return
    reasons = {change.reason for change in changes}
    wanted = (True, True, True, True, places, len(reasons) > 1)
    from rich.table import Table

    from syncd.model.recurrence.summary import told_of  # `status` reads no rules

    table = Table(box=None, pad_edge=False, show_header=True, header_style="dim")
    for title in compress(_TITLES, wanted):
        table.add_column(told(title), overflow="fold", no_wrap=title in _UNBROKEN and out.width >= _ROOMY)
    printed: set[tuple[str, Place]] = set()  # entries whose series has been printed: its other items would repeat it
    for change in changes[:shown]:
        entry = (change.key.uid, change.key.place)
        became = change.item.summary if change.item is not None and entry not in printed else None
        series = told_of(became) if became is not None else ""
        printed.update({entry} if series else ())
        table.add_row(*compress(_change(change, series, directory, zone), wanted))
    out.print(table)
    if len(changes) > shown:
        line(
            out,
            say("  … and {number:,} more (`plan --json` has all of them)", number=len(changes) - shown),
            "dim",
        )
    if len(reasons) == 1:
        line(out, say("  why — {reason}", reason=changes[0].reason), "dim")
    if zone is not None and any("T" in _holder(change).start for change in changes[:shown]):
        line(out, say("  times are in {zone}", zone=zone), "dim")


def estimate(out: Console, forecast: Forecast, more: tuple[str | None, ...] = ()) -> None:
    """Print what changes would cost, and `more` after it."""
    work = say(
        "{commands} in {requests}",
        commands=say_count("{count:,} command", "{count:,} commands", forecast.commands),
        requests=say_count("{count:,} request", "{count:,} requests", forecast.requests),
    )
    time, guessed = duration(forecast.seconds), forecast.guessed and forecast.commands > 0
    line(
        out,
        say(
            "  about {time}, a guess: this portal has not been measured yet, {each:.2g} s a command is assumed: {work}",
            each=sum(forecast.operating_s.values()) / forecast.commands,
            time=time,
            work=(work, *more),
        )
        if guessed
        else say("  about {time}: {work}", time=time, work=(work, *more)),
    )
    if guessed:
        line(
            out,
            say(
                "  `syncd portal probe` measures the portal in a minute, in a section of its own that it removes again;"
                " else the first pass measures it as it goes"
            ),
            "dim",
        )


def known(out: Console, portal: str, said: str) -> None:
    """Print what is known of the portal that a plan is for."""
    line(out, say("  portal {portal}: {said}", portal=portal, said=said), "dim")


def _notices(prepared: Prepared) -> str:
    """Return how many notices are sent at most, and to whom."""
    if not prepared.notified:
        return say("nobody gets a notice")
    # Whoever gets the most is named first: those are the people to warn.
    most = sorted(prepared.notified.items(), key=lambda pair: (-pair[1], pair[0]))
    names = tuple(
        say("{name} {number}", name=prepared.directory.name_of(user) or say("user {id}", id=user), number=number)
        for user, number in most[:_SHOWN_PEOPLE]
    )
    said = say_count(
        "up to {count:,} notice to people: {names}", "up to {count:,} notices to people: {names}", prepared.notices,
        names=names,
    )  # fmt: skip
    others = len(most) - _SHOWN_PEOPLE
    if others <= 0:
        return said
    return say_count("{said} and {count:,} more person", "{said} and {count:,} more people", others, said=said)


def kept(out: Console, links: Sequence[Link], why: Callable[[Link], str] = lambda _: KEPT) -> None:
    """Print the first of the entries that are gone from the source while their events stay, and why they do."""
    for link in links[:_SHOWN_KEPT]:
        line(
            out,
            say(
                "  {why}: {where}: «{title}» {start}",
                why=why(link),
                where=link.where,
                title=link.title,
                start=when(link.start, None),
            ),
            "dim",
        )
    if len(links) > _SHOWN_KEPT:
        said = say("  … and {number:,} more gone from the source (`--json` has all of them)",
                   number=len(links) - _SHOWN_KEPT)  # fmt: skip
        line(out, said, "dim")


def _counts(counts: dict[str, int]) -> str:
    parts = [numbered(op, number) for op, number in counts.items() if op in _SIGNS and number]
    others = ("unchanged", "held", "rejected", "conflict", "skipped")
    parts += [numbered(name, counts[name]) for name in others if counts[name]]
    parts += [say("{number:,} gone from the source, kept", number=counts["kept"])] if counts["kept"] else []
    return say("{parts}", parts=tuple(parts)) if parts else say("nothing there, nothing to do")


def _holder(change: Change) -> Item | Link:
    holder = change.item or change.link
    assert holder is not None
    return holder


def _change(change: Change, series: str, directory: Directory | None, zone: str | None) -> tuple[Text, ...]:
    holder = _holder(change)
    style = _STYLES[change.op]
    title = Text(shown(holder.title) or told(_NO_TITLE))
    for name in sorted(change.fields, key=lambda name: (_FIELDS.get(name, len(_FIELDS)), name)):
        before, after = _differs(change, name, zone)
        title.append(shown(f"\n{told(field(name))}: {_short(before)} → {_short(after)}"), style="dim")
    if series:
        title.append(shown(f"\n{told(series)}"), style="dim")
    calendar = directory.holder(change.key.place) if directory is not None else ""
    calendar = told(calendar) or str(change.key.place)
    if (user := responsible_of(change)) and directory is not None:
        person = directory.name_of(user) or str(user)
        calendar = told(say("{calendar} · responsible: {person}", calendar=calendar, person=person))
    return (
        Text(_SIGNS[change.op], style=style),
        Text(when(holder.start, zone)),
        title,
        Text(shown(f"{calendar} · {holder.section}" if holder.section else calendar)),
        Text(shown(holder.where)),
        Text(shown(change.reason), style="dim"),
    )


def _differs(change: Change, name: str, zone: str | None) -> tuple[Json, Json]:
    """Return a field before and after, its times as those of the whole table: in `zone`, as people read them."""
    before, after = change.fields[name]
    if name not in _ZONED:
        return before, after
    zones = change.fields.get(_ZONED[name])
    own = change.item.fields.get(_ZONED[name]) if change.item is not None else None
    was, now = zones or (own, own)
    times = clock_time(before, was, zone), clock_time(after, now, zone)
    # A moment that is only written in another zone, or differs by seconds, is told as it is sent.
    return (before, after) if times[0] == times[1] else times


def _short(value: Json) -> str:
    if value in (None, "", [], ()):
        return told(_NOTHING)
    text = _rule(value) if isinstance(value, Mapping) else value if isinstance(value, str) else str(value)
    text = shown(text)  # before it is cut: half a secret could not be recognised
    return text if len(text) <= 60 else text[:59] + "…"


def _rule(value: Mapping[str, Json]) -> str:
    """Return a recurrence rule in the terms of RFC 5545; of any other mapping, what is set in it."""
    said = {name: ",".join(map(str, one)) if isinstance(one, list | tuple) else one for name, one in value.items()}
    return " ".join(f"{name.upper()}={one}" for name, one in said.items() if one not in (None, ""))


def line(out: Console, text: Text | str, style: str = "") -> None:
    """Print one line. Without a terminal it is never wrapped, so that grep and mail can read it.

    On a terminal it is wrapped with a deeper indent, which tells it from the next line.
    """
    if not out.is_terminal:
        out.print(text, style=style, markup=False, soft_wrap=True)
        return
    said = Text(shown(text)) if isinstance(text, str) else _fit_text(text)
    margin = len(said.plain) - len(said.plain.lstrip(" "))
    whole = Text.assemble(said[margin:], style=style) if style else said[margin:]
    if margin + whole.cell_len <= out.width:
        out.print(Text(" " * margin).append_text(whole), soft_wrap=True)
        return
    for number, one in enumerate(whole.wrap(out, max(out.width - margin - _DEEPER, _DEEPER))):
        one.rstrip()
        out.print(Text(" " * (margin + (_DEEPER if number else 0))).append_text(one), soft_wrap=True)


def inset(text: str) -> str:
    """Return a line that is indented below another one."""
    return say("  {text}", text=text)


def problems(out: Console, lines: Sequence[Problem]) -> None:
    """Print problems, one line each, with the place first. Of many similar ones only the first are printed."""
    groups = alike(lines, lambda problem: f"{problem.kind}: {problem.reason}")
    for group in groups[:_SHOWN_PROBLEMS]:
        for problem in group.examples:
            kind = Text(told(KINDS[problem.kind]), style=_KIND_STYLES[problem.kind])
            line(
                out, Text("  ").append(f"{told(problem.where)}: ").append_text(kind).append(f": {told(problem.reason)}")
            )
        more_alike(out, [problem.where for problem in group.others])
    if left := sum(group.size for group in groups[_SHOWN_PROBLEMS:]):
        said = say_count(
            "  … and {count:,} more problem (all of them with --json)",
            "  … and {count:,} more problems (all of them with --json)",
            left,
        )
        line(out, said)


def more_alike(out: Console, places: Sequence[str]) -> None:
    """Print how many more messages are like the line above, and the first of their places."""
    if places:
        first = tuple(places[:_SHOWN_PLACES]) + (("…",) if len(places) > _SHOWN_PLACES else ())
        line(out, say("    and {number:,} more like it: {places}", number=len(places), places=first), "dim")


def result(out: Console, one: PassResult) -> None:
    """Print what one pass did."""
    outcome(out, one.record, one.error)


def outcome(out: Console, record: RunRecord, failure: SyncdError | None) -> None:
    """Print what one run did, and the error that ended it, if any."""
    idle = say("nothing to do") if record.state == "done" else say("nothing was done")
    counts = tuple(numbered(name, number) for name, number in record.counts.items() if number)
    done = told(say("{parts}", parts=counts) if counts else idle)
    style = {"done": "green", "partial": "yellow", "stopped": "yellow"}.get(record.state, "red")
    state = told(ending(record))
    line(
        out,
        Text.assemble((record.sync, "bold"), ": ", (state, style), f" — {done} ").append(
            told(_cost(record)), style="dim"
        ),
    )
    if failure is not None:
        error(out, failure)


def _cost(record: RunRecord) -> str:
    """Return what a run took."""
    requests = say_count("{count:,} request", "{count:,} requests", record.requests)
    commands = say_count("{count:,} command", "{count:,} commands", record.commands)
    took: tuple[str, ...] = (requests, commands, duration(record.seconds))
    if record.waited_s >= 1:
        took = (*took, say("waited {time}", time=duration(record.waited_s)))
    return say("(run {run}: {took})", run=record.id, took=took)


def error(out: Console, one: SyncdError) -> None:
    """Print what went wrong and the remedy."""
    line(out, Text(told(say("error: ")), style="red").append(told(one.message)))
    if one.remedy:
        line(out, Text("  ").append(told(one.remedy), style="dim"))


def rows(out: Console, titles: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Print a plain table; cells are folded if the console is too narrow for it."""
    titles = [shown(title) for title in titles]
    cells = [[shown(cell) for cell in line] for line in lines]
    widths = [max(map(cell_len, column)) for column in zip(titles, *cells, strict=True)]
    if sum(widths) + 2 * (len(widths) - 1) <= out.width and not any("\n" in cell for line in cells for cell in line):
        # As it would be with rich's table, which takes a tenth of a second to lay out a hundred rows.
        out.print(_row(titles, widths), style="dim", markup=False, soft_wrap=True)
        if cells:
            out.print("\n".join(_row(line, widths) for line in cells), markup=False, soft_wrap=True)
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in titles:
        table.add_column(title, overflow="fold")
    for line in cells:
        table.add_row(*map(Text, line))
    out.print(table)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()
