"""The status page: one HTML document made from a view; it works without a script and on a phone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from math import inf, isfinite

from syncd.html import Child, Markup, join, tag
from syncd.lang.catalog import NAMES, Language, told
from syncd.lang.saying import Saying, say, say_count
from syncd.model.entry import Problem
from syncd.model.item import Hold
from syncd.model.record import RunRecord
from syncd.portal.limits.forecast import MethodBudget
from syncd.web.language import machine_stamp, moment, number, stamp, start_of, words
from syncd.web.plot import gauge, history
from syncd.web.sayings import phrase, shown
from syncd.web.views import Condition, PlanView, PortalView, ProgressView, SyncView, View

REFRESH_S = 15
LIVE_S = 3
"""How often the page reloads, in seconds; this is the interval while a pass runs."""
_SHOWN_PROBLEMS = 30
_MOST_PORTALS = 12
_DONE = ("created", "updated", "deleted", "adopted")


_OVERALL: Mapping[Condition, tuple[str, str]] = {
    "bad": ("bad", "some_stale"),
    "failing": ("warm", "failing_some"),
    "left": ("warm", "left_some"),
    "waiting": ("waiting", "waiting_some"),
    "paused": ("waiting", "paused_some"),
    "good": ("good", "all_well"),
}
"""The colour class and the words of the overall state."""
_KINDS = ("stale", "failing", "held", "new", "running", "paused")
"""The states by which the table can be filtered; each sync has those that apply as classes."""


def page(view: View, language: Language, *, chosen: bool = False) -> str:
    """Return the whole document in `language`. If the reader has `chosen` it, the links keep it."""
    return StatusPage(view, language, chosen=chosen).document()


class StatusPage:
    """The overview of all syncs. `root` is the relative path from this page to the overview."""

    root = ""

    def __init__(self, view: View, language: Language, *, chosen: bool = False) -> None:
        self._view = view
        self._language = language
        self._words = words(language)
        self._query = f"?lang={language}" if chosen else ""
        self._refusing = {portal.name for portal in view.portals if portal.refused}

    def document(self) -> str:
        """Return the whole document."""
        return f"<!DOCTYPE html>\n{self._html()}\n"

    def _html(self) -> Markup:
        words, view = self._words, self._view
        head = tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("title", f"⚠ {words['title']}" if view.condition == "bad" else words["title"]),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("meta", name="robots", content="noindex"),
            # The script replaces parts of the page and keeps what is unfolded; without it the page is loaded again.
            tag("noscript", tag("meta", http_equiv="refresh", content=REFRESH_S)),
            tag("link", rel="icon", href="data:,"),  # or browsers would ask for /favicon.ico
            tag("link", rel="stylesheet", href=f"{self.root}style.css"),
            tag("script", src=f"{self.root}refresh.js", defer=True),
        )
        body = tag("body", self._header(), self._filter(), self._main(), self._footer())
        return tag("html", head, body, lang=self._language)

    def _to(self, path: str) -> str:
        """Return the address of another page, from this one."""
        return f"{self.root}{path}{self._query}" or "."

    def _header(self) -> Markup:
        words, view = self._words, self._view
        colour, overall = _OVERALL[view.condition]
        return tag(
            "header",
            tag("div", tag("h1", tag("span", "sync", class_="mark"), "d"), self._languages(), class_="brand"),
            tag("p", tag("span", class_="dot"), words[overall], class_=f"overall {colour}", role="status"),
        )

    def _languages(self) -> Markup:
        """Return the links that switch the language; other parts of the address stay."""
        links = (
            tag(
                "a", name, href=f"?lang={one}", hreflang=one, lang=one,
                aria_current="true" if one == self._language else None,
            )
            for one, name in NAMES.items()
        )  # fmt: skip
        return tag("nav", *links, class_="languages", aria_label=self._words["language"])

    def _filter(self) -> Child:
        """Return the search field, if there are many syncs.

        The script shows it, because it does nothing without one.
        """
        if all(sync.in_full for sync in self._view.syncs):
            return None
        words = self._words
        kinds = (tag("option", words[kind], value=kind) for kind in _KINDS)
        return tag(
            "div",
            tag("input", type="search", id="find", placeholder=words["find"], aria_label=words["find"]),
            tag("select", tag("option", words["every_sync"], value=""), *kinds, id="kind", aria_label=words["which"]),
            tag("p", words["none_found"], id="none", class_="quiet", hidden=True),
            class_="filter", hidden=True,
        )  # fmt: skip

    def _footer(self) -> Markup:
        view, language = self._view, self._language
        now = tag("time", stamp(view.now, language), datetime=machine_stamp(view.now))
        return tag(
            "footer",
            tag("span", f"syncd {view.version}"),
            tag("span", self._told(say("running since {when}", when=stamp(view.began, language)))),
            tag("span", phrase(say("as of {when}", when=""), language, when=now)),
        )

    def _main(self) -> Markup:
        words, view = self._words, self._view
        notes = [self._refusal(portal) for portal in view.portals if portal.refused]
        if view.config_refused:
            refused = say("The changed config was refused; the old one stays in force: {reason}", reason="")
            notes.insert(0, self._phrase(refused, reason=self._shown(view.config_refused)))
        # What needs a person comes first; otherwise the order of the config stays.
        syncs = sorted(view.syncs, key=lambda sync: (sync.freshness != "stale", not sync.failures))
        return tag(
            "main",
            *(tag("p", note, class_="banner", role="alert") for note in notes),
            tag("h2", words["syncs"]),
            tag("div", *(self._sync(sync) for sync in syncs if sync.in_full), class_="syncs")
            if syncs
            else tag("p", words["no_syncs"], class_="quiet"),
            self._table(view.syncs),
            tag("h2", words["portals"]),
            tag("div", *(self._portal(portal) for portal in view.portals), class_="portals"),
            id="main",
            data_seconds=self._pace(syncs),
        )

    def _refusal(self, portal: PortalView) -> Markup:
        refused = say("{portal} ({host}) refuses syncd: {reason}", portal=portal.name, host=portal.host, reason="")
        return self._phrase(refused, reason=self._shown(portal.refused))

    def _told(self, message: str) -> str:
        return told(message, self._language)

    def _shown(self, message: str) -> Child:
        return shown(message, self._language)

    def _phrase(self, message: Saying, **pieces: Child) -> Markup:
        return phrase(message, self._language, **pieces)

    def _pace(self, syncs: Iterable[SyncView]) -> int:
        """Return after how many seconds the page is to be loaded again."""
        return LIVE_S if any(sync.running_since is not None for sync in syncs) else REFRESH_S

    def _back(self, path: str, name: str) -> Markup:
        """Return a link back to another page."""
        return tag("p", tag("a", f"← {name}", href=self._to(path)), class_="back")

    def _table(self, syncs: Iterable[SyncView]) -> Child:
        """Return a table of the syncs that are not shown in full, one line each, grouped by portal."""
        by_portal: dict[str, list[SyncView]] = {}
        for sync in syncs:
            if not sync.in_full:
                by_portal.setdefault(sync.portal, []).append(sync)
        if not by_portal:
            return None
        names = (
            "sync",
            "state",
            "entries",
            "items",
            "held_items",
            "rejected_entries",
            "open",
            "last_pass",
            "next_pass",
        )
        heads = [tag("th", self._words[name], scope="col") for name in names]
        groups = []
        for portal, own in by_portal.items():
            said = f"{portal}: {number(len(own), self._language)}"
            head = tag("tr", tag("th", said, colspan=len(names), scope="rowgroup"), class_="portal")
            groups.append(tag("tbody", head, *(self._row(sync) for sync in own)))
        return tag("div", tag("table", tag("thead", tag("tr", *heads)), *groups), class_="many")

    def _row(self, sync: SyncView) -> Markup:
        last, tally = sync.last_run, sync.tally
        kind, state = self._state(sync)
        counts = (tally.entries, tally.items, sync.held, sync.rejected, tally.open_intents)
        return tag(
            "tr",
            tag("th", tag("a", sync.name, href=self._to(f"syncs/{sync.name}"))),
            tag("td", tag("b", state, class_=kind if kind != "fresh" else None)),
            *(tag("td", number(count, self._language)) for count in counts),
            self._short_time(last.started if last is not None else inf),
            self._short_time(max(sync.due, self._view.now)),
            class_=self._kinds(sync) or None,
        )

    def _kinds(self, sync: SyncView) -> str:
        """Return which of `_KINDS` apply, as classes."""
        hold = (
            sync.freshness == "stale", bool(sync.failures), bool(sync.left_over), sync.last_success is None,
            sync.running_since is not None, sync.paused is not None,
        )  # fmt: skip
        return " ".join(kind for kind, holds in zip(_KINDS, hold, strict=True) if holds)

    def _short_time(self, unix: float) -> Markup:
        """Return a cell with a moment, or "never" for infinity, in few bytes, as there may be a thousand lines."""
        return tag("td", moment(unix, self._view.now, self._language) if isfinite(unix) else self._words["never"])

    def _sync(self, sync: SyncView) -> Markup:
        last = sync.last_run
        kind, state = self._state(sync)
        # A portal that refuses has a banner of its own; the same error on each of its syncs would only repeat it.
        error = last.error if last is not None and sync.portal not in self._refusing else ""
        return tag(
            "article",
            tag(
                "div",
                tag("h3", tag("a", sync.name, href=self._to(f"syncs/{sync.name}"))),
                tag("span", state, class_=f"pill {kind}"),
                class_="top",
            ),
            self._moves(sync.progress) if sync.progress is not None else None,
            tag("p", self._told(sync.source), " → ", sync.portal, class_="quiet source"),
            tag("p", self._shown(error), class_="error") if error else None,
            self._counts(sync),
            self._facts(sync),
            history(sync.passes, self._language) if last is not None else None,
            self._plan(sync.plan) if sync.plan is not None else None,
            self._holds(sync) if sync.holds else None,
            self._problems(last.problems, last.problem_count) if last is not None and last.problem_count else None,
            class_=f"card sync {self._kinds(sync)}".strip(),
        )

    def _moves(self, progress: ProgressView) -> Markup:
        """Return the bar of a pass under way."""
        done = say_count("{done:,} of {count:,} change", "{done:,} of {count:,} changes", progress.total,
                         done=progress.done)  # fmt: skip
        if progress.eta_s is not None:
            done = say("{done}, about {span} left", done=done, span=timedelta(seconds=progress.eta_s))
        bar = tag("progress", value=progress.done, max=progress.total)
        return tag("p", bar, tag("small", self._told(done)), class_="moves")

    def _state(self, sync: SyncView) -> tuple[str, str]:
        """Return the colour class of a sync and its state in words. A stale sync stays stale whatever else happens."""
        words = self._words
        kind = "stale" if sync.freshness == "stale" else "new"
        if sync.running_since is not None:
            span = timedelta(seconds=max(0.0, self._view.now - sync.running_since))
            return kind, self._told(say("running {span}", span=span))
        if sync.paused is not None:
            return "new", words["paused"]
        if sync.failures and kind != "stale":
            return kind, words["failing"]
        return sync.freshness, words[sync.freshness]

    def _counts(self, sync: SyncView) -> Markup:
        words, tally = self._words, sync.tally
        counts = (
            (words["entries"], tally.entries, ""),
            (words["items"], tally.items, ""),
            (words["held_items"], sync.held, "warn"),
            (words["rejected_entries"], sync.rejected, "warn"),
            (words["open"], tally.open_intents, "warn"),
        )
        rows = (
            tag("div", tag("dt", name), tag("dd", number(value, self._language), class_=mark if value else ""))
            for name, value, mark in counts
        )
        return tag("dl", *rows, class_="counts")

    def _facts(self, sync: SyncView) -> Markup:
        words, last = self._words, sync.last_run
        due = words["never"] if not isfinite(sync.due) else self._time(max(sync.due, self._view.now))
        facts = (
            (words["last_pass"], self._time(last.started) if last else words["never"], self._outcome(sync)),
            (words["next_pass"], words["running"] if sync.running_since is not None else due, self._schedule(sync)),
            (words["last_success"], self._time(sync.last_success) if sync.last_success else words["never"], None),
        )
        rows = (
            tag("div", tag("dt", name), tag("dd", value, tag("small", more) if more else None))
            for name, value, more in facts
        )
        return tag("dl", *rows, class_="facts")

    def _schedule(self, sync: SyncView) -> str:
        if isinstance(sync.schedule, str):
            return sync.schedule
        return self._told(say("every {span}", span=timedelta(seconds=sync.schedule)))

    def _outcome(self, sync: SyncView) -> str | None:
        last = sync.last_run
        if last is None:
            return None
        return self._ended(last, _DONE if last.state != "failed" else None)

    def _ended(self, run: RunRecord, names: Iterable[str] | None) -> str:
        """Return how a run ended, with its counts of these `names`."""
        word = self._ending(run)
        if names is None:
            return word
        done = self._counted(run.counts, names) or self._words["nothing_changed"]
        return self._told(say("{state}: {counts}", state=word, counts=done))

    def _ending(self, run: RunRecord) -> str:
        """Return how a run ended, and what it was unless it was a pass."""
        state = self._words.get(run.state, run.state)
        match run.kind:
            case "pass":
                return state
            case "undo":
                return self._told(say("undo: {state}", state=state))
            case "purge":
                return self._told(say("purge: {state}", state=state))

    def _counted(self, counts: Mapping[str, int], names: Iterable[str]) -> str:
        """Return those of `counts` that are not zero, such as "created 3, updated 2"."""
        found = (say("{label} {number:,}", label=self._words.get(name, name), number=count)
                 for name in names if (count := counts.get(name)))  # fmt: skip
        return ", ".join(map(self._told, found))

    def _time(self, unix: float) -> Markup:
        said = moment(unix, self._view.now, self._language)
        return tag("time", said, datetime=machine_stamp(unix), title=stamp(unix, self._language))

    def _plan(self, plan: PlanView) -> Markup:
        words, language = self._words, self._language
        facts = [
            say_count("{count:,} change", "{count:,} changes", plan.total),
            say("takes about {span}", span=timedelta(seconds=plan.seconds)),
        ]
        if plan.notices:
            facts.append(say_count("{count:,} notice to people", "{count:,} notices to people", plan.notices))
        said = [*map(self._told, facts), self._counted(plan.counts, plan.counts)]
        rows = (
            tag(
                "li",
                tag("b", words[one.op], class_=f"op {one.op}"),
                " ",
                tag("span", one.title, class_="what"),
                " ",
                tag("small", start_of(one.start, language), " · ", self._shown(one.reason), " · ", one.where),
            )
            for one in plan.changes
        )
        return self._fold(
            words["plan_stopped"] if plan.stopped else words["plan"],
            tag("p", self._shown(plan.stopped), class_="error") if plan.stopped else None,
            tag("p", " · ".join(said), class_="quiet"),
            tag("ul", *rows, self._more(plan.total - len(plan.changes))),
            opened=True,
        )

    def _holds(self, sync: SyncView) -> Markup:
        """Return the list of held items: place, title, reason, and when each is tried again."""
        more = sync.tally.held - len(sync.holds)  # the view has the first ones only, and no entries without an item
        rows = (
            tag(
                "li",
                tag("code", hold.where),
                " ",
                tag("span", hold.title, class_="what"),
                tag("p", self._shown(hold.reason)),
                tag("small", self._again(hold)),
            )
            for hold in sync.holds
        )
        title = self._told(say("Held back: {number:,}", number=sync.tally.held))
        return self._fold(title, tag("ul", *rows, self._more(more)))

    def _again(self, hold: Hold) -> Child:
        """Return when a held item is tried again; a conflict waits for a person instead (`retry_at` is infinity)."""
        if not isfinite(hold.retry_at):
            return self._words["until_looked_at"]
        return self._phrase(say("again: {when}", when=""), when=self._time(hold.retry_at))

    def _problems(self, problems: Iterable[Problem], total: int) -> Markup:
        first = tuple(problems)[:_SHOWN_PROBLEMS]
        rows = (
            tag(
                "li",
                tag("code", self._told(one.where)),
                " ",
                tag("b", self._words.get(one.kind, one.kind), class_=f"kind {one.kind}"),
                tag("p", self._shown(one.reason)),
            )
            for one in first
        )
        title = self._told(say("Problems of the last pass: {number:,}", number=total))
        return self._fold(title, tag("ul", *rows, self._more(total - len(first))))

    def _more(self, count: int) -> Child:
        if count <= 0:
            return None
        return tag("li", self._told(say("… more {number:,}", number=count)), class_="quiet")

    def _fold(self, title: str, *children: Child, opened: bool = False) -> Markup:
        return tag("details", tag("summary", title), *children, open=opened)

    def _portal(self, portal: PortalView) -> Markup:
        words, usage = self._words, portal.usage
        used = say("requests: {requests:,}, commands: {commands:,}", requests=usage.requests, commands=usage.commands)
        waiting: Child = None
        if portal.waiting_for is not None:
            what = self._phrase(say("waiting for {what}", what=""), what=self._shown(portal.waiting_for))
            until = join(" · ", self._time(portal.waiting_until)) if portal.waiting_until else None
            waiting = tag("p", what, until, class_="waiting")
        methods = [self._method(method, budget) for method, budget in self._shown_methods(portal)]
        return tag(
            "article",
            tag(
                "div",
                tag("h3", portal.name),
                tag("span", words["refuses"], class_="pill stale") if portal.refused else None,
                class_="top",
            ),
            tag("p", portal.host, " · ", self._told(used), class_="quiet source"),
            self._holder(portal) if portal.holder is not None else None,
            waiting,
            tag("h4", words["budget"]),
            *(methods or [tag("p", words["no_budget"], class_="quiet")]),
            class_="card" + (" stale" if portal.refused else ""),
        )

    def _holder(self, portal: PortalView) -> Markup:
        """Return which of several machines writes to the portal, and since when."""
        if not portal.holder:
            return tag("p", self._words["held_by_none"], class_="waiting")
        since = join(" · ", self._time(portal.held_since)) if portal.held_since is not None else None
        return tag("p", self._told(say("written to by {machine}", machine=portal.holder)), since, class_="quiet")

    def _shown_methods(self, portal: PortalView) -> list[tuple[str, MethodBudget]]:
        """Return the budgets to show: all of them by method, or only the most used one if there are many portals."""
        if len(self._view.portals) <= _MOST_PORTALS:
            return sorted(portal.operating.items())
        return sorted(portal.operating.items(), key=lambda one: -one[1].used_s)[:1]

    def _method(self, method: str, budget: MethodBudget) -> Markup:
        used = say("{used:.1f} s, no limit", used=budget.used_s)
        if isfinite(budget.limit_s):
            used = say("{used:.1f} of {limit:.0f} s", used=budget.used_s, limit=budget.limit_s)
        said: Child = self._told(used)
        if budget.resets_at and budget.used_s:
            frees = say("{used}, frees up {when}", used=used, when="")
            said = self._phrase(frees, when=self._time(budget.resets_at))
        label = tag("div", tag("code", method), tag("small", said), class_="label")
        return tag("div", label, gauge(budget), class_="budget")
