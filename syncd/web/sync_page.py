"""The page of one sync, with its last passes, and the page of one pass, with its changes."""

from __future__ import annotations

from collections.abc import Iterable

from syncd.html import Child, Markup, join, tag
from syncd.lang.catalog import Language
from syncd.lang.saying import say
from syncd.model.record import RunRecord
from syncd.web.language import duration, number, stamp, start_of
from syncd.web.status_page import StatusPage
from syncd.web.views import ChangeLine, RunView, SyncView, View

_COUNTED = ("created", "updated", "deleted", "adopted", "unchanged", "held", "rejected", "conflict")


def sync_page(view: View, sync: SyncView, language: Language, *, chosen: bool = False) -> str:
    """Return the page of one sync; `view` is how all syncs stand."""
    return _SyncPage(view, sync, language, chosen=chosen).document()


def run_page(view: View, run: RunView, language: Language, *, chosen: bool = False) -> str:
    """Return the page of one pass; `view` is how all syncs stand."""
    return _RunPage(view, run, language, chosen=chosen).document()


class _SyncPage(StatusPage):
    root = "../"

    def __init__(self, view: View, sync: SyncView, language: Language, *, chosen: bool) -> None:
        super().__init__(view, language, chosen=chosen)
        self._one = sync

    def _filter(self) -> Child:
        return None

    def _main(self) -> Markup:
        sync = self._one
        runs = [run for run in sync.runs if run.finished is not None]
        table = self._runs(runs) if runs else tag("p", self._words["no_runs"], class_="quiet")
        return tag(
            "main",
            self._back("", self._words["back"]),
            tag("div", self._sync(sync), class_="alone"),
            tag("h2", self._words["runs"]),
            tag("div", table, class_="many runs"),
            id="main",
            data_seconds=self._pace([sync]),
        )

    def _runs(self, runs: Iterable[RunRecord]) -> Markup:
        words = self._words
        names = [words[name] for name in ("run", "started", "took", "state", *_COUNTED)]
        head = tag("tr", *(tag("th", name, scope="col") for name in names))
        return tag("table", tag("thead", head), tag("tbody", *(self._run_row(run) for run in runs)))

    def _run_row(self, run: RunRecord) -> Markup:
        counts = (run.counts.get(name, 0) for name in _COUNTED)
        return tag(
            "tr",
            tag("th", tag("a", str(run.id), href=self._to(f"syncs/{run.sync}/runs/{run.id}"))),
            tag("td", stamp(run.started, self._language)),
            tag("td", duration(run.seconds, self._language)),
            tag("td", self._ending(run)),
            *(tag("td", number(count, self._language) if count else "") for count in counts),
        )


class _RunPage(StatusPage):
    root = "../../../"

    def __init__(self, view: View, run: RunView, language: Language, *, chosen: bool) -> None:
        super().__init__(view, language, chosen=chosen)
        self._run = run

    def _filter(self) -> Child:
        return None

    def _main(self) -> Markup:
        record, language = self._run.record, self._language
        title = self._told(say("Pass {number}: {sync}", number=record.id, sync=record.sync))
        card = tag(
            "article",
            tag("div", tag("h3", title), class_="top"),
            tag("p", stamp(record.started, language), " · ", duration(record.seconds, language), class_="quiet source"),
            tag("p", self._ended(record, _COUNTED)),
            tag("p", self._shown(record.error), class_="error") if record.error else None,
            self._problems(record.problems, record.problem_count) if record.problem_count else None,
            class_="card",
        )
        return tag(
            "main",
            self._back(f"syncs/{record.sync}", record.sync),
            tag("div", card, class_="alone"),
            tag("h2", self._words["changed"]),
            self._changes(self._run.changes),
            id="main",
            data_seconds=self._pace(()),
        )

    def _changes(self, changes: tuple[ChangeLine, ...]) -> Markup:
        words = self._words
        if not changes:
            return tag("p", words["no_changes"], class_="quiet")
        head = tag("tr", *(tag("th", words[name], scope="col") for name in ("op", "when", "what", "where", "fields")))
        table = tag("table", tag("thead", head), tag("tbody", *map(self._change_row, changes)))
        more = tag("p", words["and_more"], class_="quiet") if self._run.more else None
        return tag("div", join(table, more), class_="many changes")

    def _change_row(self, change: ChangeLine) -> Markup:
        cells = (
            start_of(change.start, self._language),
            change.title,
            change.where,
            self._told(change.reason),
        )
        op = tag("td", tag("b", self._words[change.op], class_=f"op {change.op}"))
        return tag("tr", op, *(tag("td", cell) for cell in cells))
