"""The status page: one HTML document made from a view; it works without a script and on a phone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf, isfinite

from syncd.html import Child, Markup, join, tag
from syncd.model.entry import Problem
from syncd.model.item import Hold
from syncd.portal.client import MethodBudget
from syncd.web.language import WORDS, Language, duration, machine_stamp, moment, number, stamp
from syncd.web.plot import gauge, history
from syncd.web.views import PlanView, PortalView, SyncView, View

REFRESH_S = 15
_SHOWN_PROBLEMS = 30
_DONE = (("created", "created"), ("updated", "updated_n"), ("deleted", "deleted"), ("adopted", "adopted"))


def page(view: View, language: Language) -> str:
    """Return the whole document in `language`."""
    return f"<!DOCTYPE html>\n{_Page(view, language).html()}\n"


class _Page:
    def __init__(self, view: View, language: Language) -> None:
        self._view = view
        self._language = language
        self._words = WORDS[language]
        self._refusing = {portal.name for portal in view.portals if portal.refused}

    def html(self) -> Markup:
        words, view = self._words, self._view
        head = tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("title", words["title"] if view.ok else f"⚠ {words['title']}"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("meta", name="robots", content="noindex"),
            # The script replaces parts of the page and keeps what is unfolded; without it the page is loaded again.
            tag("noscript", tag("meta", http_equiv="refresh", content=REFRESH_S)),
            tag("link", rel="icon", href="data:,"),  # or browsers would ask for /favicon.ico
            tag("link", rel="stylesheet", href="style.css"),
            tag("script", src="refresh.js", defer=True, data_seconds=REFRESH_S),
        )
        return tag("html", head, tag("body", self._header(), self._main(), self._footer()), lang=self._language)

    def _header(self) -> Markup:
        words, view = self._words, self._view
        troubled = not view.ok or any(portal.refused for portal in view.portals) or bool(view.config_refused)
        told = words["some_stale"] if troubled else words["all_well"]
        return tag(
            "header",
            tag("div", tag("h1", tag("span", "sync", class_="mark"), "d"), class_="brand"),
            tag("p", tag("span", class_="dot"), told, class_=f"overall {'bad' if troubled else 'good'}", role="status"),
        )

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
            f"{portal.name} ({portal.host}) {words['refuses']}: {portal.refused}"
            for portal in view.portals
            if portal.refused
        ]
        if view.config_refused:
            notes.insert(0, f"{words['config_refused']}: {view.config_refused}")
        # What needs a person comes first; otherwise the order of the config stays.
        syncs = sorted(view.syncs, key=lambda sync: (sync.freshness != "stale", not sync.failures))
        return tag(
            "main",
            *(tag("p", note, class_="banner", role="alert") for note in notes),
            tag("h2", words["syncs"]),
            tag("div", *(self._sync(sync) for sync in syncs if sync.in_full), class_="syncs")
            if syncs
            else tag("p", words["no_syncs"], class_="quiet"),
            *self._tables(view.syncs),
            tag("h2", words["portals"]),
            tag("div", *(self._portal(portal) for portal in view.portals), class_="portals"),
            id="main",
        )

    def _tables(self, syncs: Iterable[SyncView]) -> Iterator[Markup]:
        """Yield for each portal a table of its syncs that are not told in full, one line each."""
        by_portal: dict[str, list[SyncView]] = {}
        for sync in syncs:
            if not sync.in_full:
                by_portal.setdefault(sync.portal, []).append(sync)
        names = ("sync", "state", "entries", "items", "held", "open", "last_pass", "next_pass")
        heads = [tag("th", self._words[name], scope="col") for name in names]
        for portal, own in by_portal.items():
            rows = (self._row(sync) for sync in own)
            caption = tag("caption", f"{portal}: {number(len(own), self._language)}")
            table = tag("table", caption, tag("thead", tag("tr", *heads)), tag("tbody", *rows))
            yield tag("div", table, class_="many")

    def _row(self, sync: SyncView) -> Markup:
        last, tally = sync.last_run, sync.tally
        kind, state = self._state(sync)
        counts = (tally.entries, tally.items, sync.held, tally.open_intents)
        return tag(
            "tr",
            tag("th", sync.name),
            tag("td", tag("span", state, class_=f"pill {kind}")),
            *(tag("td", number(count, self._language)) for count in counts),
            tag("td", self._short_time(last.started if last is not None else inf)),
            tag("td", self._short_time(max(sync.due, self._view.now))),
        )

    def _short_time(self, unix: float) -> Child:
        """Return a moment, or never for infinity, in as few bytes as a thousand lines allow."""
        if not isfinite(unix):
            return self._words["never"]
        return tag("span", moment(unix, self._view.now, self._language), title=stamp(unix))

    def _sync(self, sync: SyncView) -> Markup:
        last = sync.last_run
        kind, state = self._state(sync)
        # A portal that refuses has a banner of its own; the same error on each of its syncs would only repeat it.
        error = last.error if last is not None and sync.portal not in self._refusing else ""
        return tag(
            "article",
            tag("div", tag("h3", sync.name), tag("span", state, class_=f"pill {kind}"), class_="top"),
            tag("p", sync.source, " → ", sync.portal, class_="quiet source"),
            tag("p", error, class_="error") if error else None,
            self._counts(sync),
            self._facts(sync),
            history(sync.runs, self._language) if last is not None else None,
            self._plan(sync.plan) if sync.plan is not None else None,
            self._holds(sync) if sync.holds else None,
            self._problems(last.problems, last.problem_count) if last is not None and last.problem_count else None,
            class_=f"card {kind}",
        )

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
                tag("small", one.start.replace("T", " ")[:16], " · ", one.reason, " · ", one.where),
            )
            for one in plan.changes
        )
        return self._fold(
            words["plan_stopped"] if plan.stopped else words["plan"],
            tag("p", plan.stopped, class_="error") if plan.stopped else None,
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
                tag("p", hold.reason),
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
                tag("p", one.reason),
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
            waiting = tag("p", f"{words['waiting']} {portal.waiting_for}", until, class_="waiting")
        methods = [self._method(method, budget) for method, budget in sorted(portal.operating.items())]
        return tag(
            "article",
            tag(
                "div",
                tag("h3", portal.name),
                tag("span", words["refuses"], class_="pill stale") if portal.refused else None,
                class_="top",
            ),
            tag("p", portal.host, " · ", used, class_="quiet source"),
            waiting,
            tag("h4", words["budget"]),
            *(methods or [tag("p", words["no_budget"], class_="quiet")]),
            class_="card" + (" stale" if portal.refused else ""),
        )

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
