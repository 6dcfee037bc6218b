"""The status page: one HTML document made from a view; it works without a script and on a phone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf, isfinite

from syncd.html import Child, Markup, join, tag
from syncd.model.entry import Problem
from syncd.model.item import Hold
from syncd.model.zones import as_read
from syncd.portal.limits.forecast import MethodBudget
from syncd.web.language import NAMES, WORDS, Language, duration, machine_stamp, moment, number, stamp
from syncd.web.plot import gauge, history
from syncd.web.sayings import told
from syncd.web.views import Condition, PlanView, PortalView, ProgressView, SyncView, View

REFRESH_S = 15
LIVE_S = 3
"""How often the page is loaded again, in seconds; the latter while a pass runs."""
_SHOWN_PROBLEMS = 30
_MOST_PORTALS = 12
_DONE = (("created", "created"), ("updated", "updated_n"), ("deleted", "deleted"), ("adopted", "adopted"))


_OVERALL: Mapping[Condition, tuple[str, str]] = {
    "bad": ("bad", "some_stale"),
    "failing": ("warm", "failing_some"),
    "left": ("warm", "left_some"),
    "waiting": ("waiting", "waiting_some"),
    "paused": ("waiting", "paused_some"),
    "good": ("good", "all_well"),
}
"""By what is to be said over all: its colour class, and its words."""
_KINDS = ("stale", "failing", "held", "new", "running", "paused")
"""What the table can be narrowed down to; each sync has those that hold as classes."""


def page(view: View, language: Language, *, chosen: bool = False) -> str:
    """Return the whole document in `language`; if a reader has `chosen` that, the links keep it."""
    return StatusPage(view, language, chosen=chosen).document()


class StatusPage:
    """The overview of all syncs. `root` is the way from the page's address to that of the overview."""

    root = ""

    def __init__(self, view: View, language: Language, *, chosen: bool = False) -> None:
        self._view = view
        self._language = language
        self._words = WORDS[language]
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
        colour, told = _OVERALL[view.condition]
        return tag(
            "header",
            tag("div", tag("h1", tag("span", "sync", class_="mark"), "d"), self._languages(), class_="brand"),
            tag("p", tag("span", class_="dot"), words[told], class_=f"overall {colour}", role="status"),
        )

    def _languages(self) -> Markup:
        """Return the switch; an address with a query keeps its page."""
        links = (
            tag(
                "a", name, href=f"?lang={one}", hreflang=one, lang=one,
                aria_current="true" if one == self._language else None,
            )
            for one, name in NAMES.items()
        )  # fmt: skip
        return tag("nav", *links, class_="languages", aria_label=self._words["language"])

    def _filter(self) -> Child:
        """Return the search for a sync where there are many; the script shows it, for without one it does nothing."""
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
        words, view = self._words, self._view
        return tag(
            "footer",
            tag("span", f"syncd {view.version}"),
            tag("span", f"{words['up_since']} {stamp(view.began)}"),
            tag("span", f"{words['updated']} ", tag("time", stamp(view.now), datetime=machine_stamp(view.now))),
        )

    def _main(self) -> Markup:
        words, view = self._words, self._view
        notes = [
            join(f"{portal.name} ({portal.host}) {words['refuses']}: ", told(portal.refused, self._language))
            for portal in view.portals
            if portal.refused
        ]
        if view.config_refused:
            notes.insert(0, join(f"{words['config_refused']}: ", told(view.config_refused, self._language)))
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

    def _pace(self, syncs: Iterable[SyncView]) -> int:
        """Return after how many seconds the page is to be loaded again."""
        return LIVE_S if any(sync.running_since is not None for sync in syncs) else REFRESH_S

    def _back(self, path: str, name: str) -> Markup:
        """Return the way back to another page."""
        return tag("p", tag("a", f"← {name}", href=self._to(path)), class_="back")

    def _table(self, syncs: Iterable[SyncView]) -> Child:
        """Return a table of the syncs that are not told in full, one line each, grouped by portal."""
        by_portal: dict[str, list[SyncView]] = {}
        for sync in syncs:
            if not sync.in_full:
                by_portal.setdefault(sync.portal, []).append(sync)
        if not by_portal:
            return None
        names = ("sync", "state", "entries", "items", "held", "open", "last_pass", "next_pass")
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
        counts = (tally.entries, tally.items, sync.held, tally.open_intents)
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
        """Return which of `_KINDS` hold, as classes."""
        hold = (
            sync.freshness == "stale", bool(sync.failures), bool(sync.left_over), sync.last_success is None,
            sync.running_since is not None, sync.paused is not None,
        )  # fmt: skip
        return " ".join(kind for kind, holds in zip(_KINDS, hold, strict=True) if holds)

    def _short_time(self, unix: float) -> Markup:
        """Return a cell with a moment, or never for infinity, in as few bytes as a thousand lines allow."""
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
            tag("p", sync.source, " → ", sync.portal, class_="quiet source"),
            tag("p", told(error, self._language), class_="error") if error else None,
            self._counts(sync),
            self._facts(sync),
            history(sync.runs, self._language) if last is not None else None,
            self._plan(sync.plan) if sync.plan is not None else None,
            self._holds(sync) if sync.holds else None,
            self._problems(last.problems, last.problem_count) if last is not None and last.problem_count else None,
            class_=f"card sync {self._kinds(sync)}".strip(),
        )

    def _moves(self, progress: ProgressView) -> Markup:
        """Return the bar of a pass under way."""
        words, language = self._words, self._language
        said = words["done_of"].format(number(progress.done, language), number(progress.total, language))
        if progress.eta_s is not None:
            said += f", {words['left'].format(duration(progress.eta_s, language))}"
        return tag("p", tag("progress", value=progress.done, max=progress.total), tag("small", said), class_="moves")

    def _state(self, sync: SyncView) -> tuple[str, str]:
        """Return the colour class of a sync and its state in words. Stale stays stale whatever else is going on."""
        words = self._words
        kind = "stale" if sync.freshness == "stale" else "new"
        if sync.running_since is not None:
            return kind, f"{words['running']} {duration(self._view.now - sync.running_since, self._language)}"
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
            (words["held"], sync.held, "warn"),
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
        return f"{self._words['every']} {duration(sync.schedule, self._language)}"

    def _outcome(self, sync: SyncView) -> str | None:
        last = sync.last_run
        if last is None:
            return None
        done = [
            f"{self._words[word]} {number(last.counts[name], self._language)}"
            for name, word in _DONE
            if last.counts.get(name)
        ]
        state = self._words.get(last.state, last.state)
        return f"{state}: {', '.join(done) or self._words['nothing_changed']}" if last.state != "failed" else state

    def _time(self, unix: float) -> Markup:
        told = moment(unix, self._view.now, self._language)
        return tag("time", told, datetime=machine_stamp(unix), title=stamp(unix))

    def _plan(self, plan: PlanView) -> Markup:
        words, language = self._words, self._language
        counts = ", ".join(f"{words.get(name, name)} {number(count, language)}" for name, count in plan.counts.items())
        facts = [
            words["changes_n"].format(number(plan.total, language)),
            f"{words['takes']} {duration(plan.seconds, language)}",
        ]
        if plan.notices:
            facts.append(words["notices_n"].format(number(plan.notices, language)))
        rows = (
            tag(
                "li",
                tag("b", words[one.op], class_=f"op {one.op}"),
                " ",
                tag("span", one.title, class_="what"),
                " ",
                tag("small", as_read(one.start, None), " · ", told(one.reason, language), " · ", one.where),
            )
            for one in plan.changes
        )
        return self._fold(
            words["plan_stopped"] if plan.stopped else words["plan"],
            tag("p", told(plan.stopped, language), class_="error") if plan.stopped else None,
            tag("p", f"{'; '.join(facts)} ({counts})", class_="quiet"),
            tag("ul", *rows, self._more(plan.total - len(plan.changes))),
            opened=True,
        )

    def _holds(self, sync: SyncView) -> Markup:
        more = sync.tally.held - len(sync.holds)  # the view holds the first ones only
        rows = (
            tag(
                "li",
                tag("code", hold.where),
                " ",
                tag("span", hold.title, class_="what"),
                tag("p", told(hold.reason, self._language)),
                tag("small", self._again(hold)),
            )
            for hold in sync.holds
        )
        return self._fold(f"{self._words['held_items']}: {sync.tally.held}", tag("ul", *rows, self._more(more)))

    def _again(self, hold: Hold) -> Markup:
        when = self._time(hold.retry_at) if isfinite(hold.retry_at) else self._words["until_looked_at"]
        return join(f"{self._words['again']}: ", when)

    def _problems(self, problems: Iterable[Problem], total: int) -> Markup:
        shown = tuple(problems)[:_SHOWN_PROBLEMS]
        rows = (
            tag(
                "li",
                tag("code", one.where),
                " ",
                tag("b", self._words.get(one.kind, one.kind), class_=f"kind {one.kind}"),
                tag("p", told(one.reason, self._language)),
            )
            for one in shown
        )
        return self._fold(f"{self._words['problems']}: {total}", tag("ul", *rows, self._more(total - len(shown))))

    def _more(self, count: int) -> Child:
        return (
            tag("li", f"… {self._words['more']} {number(count, self._language)}", class_="quiet") if count > 0 else None
        )

    def _fold(self, title: str, *children: Child, opened: bool = False) -> Markup:
        return tag("details", tag("summary", title), *children, open=opened)

    def _portal(self, portal: PortalView) -> Markup:
        words, language = self._words, self._language
        requests, commands = number(portal.usage.requests, language), number(portal.usage.commands, language)
        used = f"{words['requests']}: {requests}, {words['commands']}: {commands}"
        waiting: Child = None
        if portal.waiting_for is not None:
            until = join(" · ", self._time(portal.waiting_until)) if portal.waiting_until else None
            waiting = tag("p", f"{words['waiting']} ", told(portal.waiting_for, language), until, class_="waiting")
        methods = [self._method(method, budget) for method, budget in self._shown_methods(portal)]
        return tag(
            "article",
            tag(
                "div",
                tag("h3", portal.name),
                tag("span", words["refuses"], class_="pill stale") if portal.refused else None,
                class_="top",
            ),
            tag("p", portal.host, " · ", used, class_="quiet source"),
            self._holder(portal) if portal.holder is not None else None,
            waiting,
            tag("h4", words["budget"]),
            *(methods or [tag("p", words["no_budget"], class_="quiet")]),
            class_="card" + (" stale" if portal.refused else ""),
        )

    def _holder(self, portal: PortalView) -> Markup:
        """Return which of several machines writes to the portal, and since when."""
        words = self._words
        if not portal.holder:
            return tag("p", words["held_by_none"], class_="waiting")
        since = join(" · ", self._time(portal.held_since)) if portal.held_since is not None else None
        return tag("p", words["held_by"].format(portal.holder), since, class_="quiet")

    def _shown_methods(self, portal: PortalView) -> list[tuple[str, MethodBudget]]:
        """Return the budgets to show: all of them, by method; where there are many portals, the most used one."""
        if len(self._view.portals) <= _MOST_PORTALS:
            return sorted(portal.operating.items())
        return sorted(portal.operating.items(), key=lambda one: -one[1].used_s)[:1]

    def _method(self, method: str, budget: MethodBudget) -> Markup:
        words = self._words
        limit = f"{budget.limit_s:.0f} {words['seconds']}" if isfinite(budget.limit_s) else words["unlimited"]
        resets = (
            join(", ", words["resets"], " ", self._time(budget.resets_at))
            if budget.resets_at and budget.used_s
            else None
        )
        used = f"{budget.used_s:.1f}".replace(".", "." if self._language == "en" else ",")
        told = tag("small", f"{used} {words['of']} {limit}", resets)
        return tag("div", tag("div", tag("code", method), told, class_="label"), gauge(budget), class_="budget")
