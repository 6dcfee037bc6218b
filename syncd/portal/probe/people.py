"""What the webhook may do, and what its user sees of others: only read, only flags kept (PORTAL.md 1.4, 4.5, 7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

from syncd.lang.saying import say
from syncd.model.json_values import Json
from syncd.portal.exchange.session import Question
from syncd.portal.line.shapes import rows_of
from syncd.portal.line.wire import Command, Done, Refused, Reply
from syncd.portal.probe.bench import Bench, Row, UnaskedError, done
from syncd.portal.probe.experiment import Experiment
from syncd.portal.probe.facts import Fact

_COLLEAGUES = 10
_SCOPED: Sequence[tuple[str, str]] = (
    ("crm", "crm.activity.list"),
    ("im", "im.notify"),
    ("department", "department.get"),
    ("user", "user.get"),
    ("sonet_group", "sonet_group.get"),
    ("socialnetwork", "socialnetwork.api.workgroup.list"),
)
"""A method of each scope. Without the scope it is refused before it does anything, whatever it would do."""
_USER_SCOPES = ("user_basic", "user", "user_brief")


async def _webhook(bench: Bench) -> Iterable[Fact]:
    """Tell the webhook's permissions and the portal's plan."""
    scopes: list[Json] = [*sorted(bench.scene.scopes)]
    facts = [Fact(name="scopes", value=scopes), Fact(name="admin", value=bench.scene.admin)]
    told = await bench.call("app.info")
    licence = told.result.get("LICENSE") if isinstance(told, Done) and isinstance(told.result, Mapping) else None
    why = say("the portal does not tell it")
    facts.append(Fact(name="plan", value=licence if isinstance(licence, str) else None, why="" if licence else why))
    stamps = say("no answer had a time") if bench.integer is None else ""
    return (*facts, Fact(name="integer_stamps", value=bench.integer, why=stamps), await _statuses(bench))


WEBHOOK = Experiment(
    facts=("scopes", "admin", "plan", "integer_stamps", "docs_statuses"),
    sends=say("questions about what syncd may do"),
    run=_webhook,
)


async def _statuses(bench: Bench) -> Fact:
    """Ask a method that the webhook has no permission for, and tell with which status it is refused."""
    name = "docs_statuses"
    for scope, method in _SCOPED:
        granted = bench.scene.scopes & {scope, *(_USER_SCOPES if scope == "user" else ()), scope.split("_")[0]}
        if granted:
            continue
        answer = await bench.answer(_single(method))
        (reply,) = answer.replies
        bench.blocked.pop(method, None)
        if isinstance(reply, Refused) and reply.code.lower() == "insufficient_scope" and answer.status in (401, 403):
            return Fact(name=name, value=answer.status == 403)
    return Fact(name=name, why=say("syncd has all permissions, so that nothing was refused for want of one"))


def _single(method: str) -> Question:
    return Question(commands=(Command(method=method),))


async def _people(bench: Bench) -> Iterable[Fact]:
    """Tell whose calendars the webhook may write, how a list is paged, and whether private events are masked."""
    bench.scene.require(*_USER_SCOPES)
    (reply,) = await bench.ask([Command(method="user.get", params={"FILTER": {"ACTIVE": True}})], single=True)
    users = done(reply)
    size = Fact(
        name="page_size", value=users.next, why="" if users.next else say("there are too few people for two pages")
    )
    ids = [number for row in rows_of(users.result) if (number := _id(row)) and number != bench.scene.caller]
    some = ids[:_COLLEAGUES]
    if not some:
        none = say("there is nobody else")
        return size, Fact(name="writable_calendars", why=none), Fact(name="private_hidden", why=none)
    return size, await _writable(bench, some), await _private(bench, some)


PEOPLE = Experiment(
    facts=("page_size", "writable_calendars", "private_hidden"),
    sends=say("questions about the calendars of ten colleagues, of which only rights and flags are looked at"),
    run=_people,
)


def _id(row: Json, name: str = "ID") -> int:
    """Return the number in a row, 0 if it has none."""
    value = str(row.get(name, "")) if isinstance(row, Mapping) else ""
    return int(value) if value.isascii() and value.isdecimal() else 0


async def _writable(bench: Bench, users: Sequence[int]) -> Fact:
    """Tell into how many of some colleagues' calendars the webhook's user may write, by the rights that are read."""
    replies = await bench.ask(
        [Command(method="calendar.section.get", params={"type": "user", "ownerId": user}) for user in users]
    )
    read = [rows_of(reply.result) for reply in replies if isinstance(reply, Done)]
    own = [sections for sections in read if sections]
    if not own:
        return Fact(name="writable_calendars", why=say("no colleague has a section that may be seen"))
    may = sum(any(_may_edit(section) for section in sections) for sections in own)
    said = {0: "none", len(own): "all"}.get(may, "some")
    return Fact(name="writable_calendars", value=said, expected="all" if bench.scene.admin else None)


def _may_edit(section: Json) -> bool:
    rights = section.get("PERM") if isinstance(section, Mapping) else None
    return isinstance(rights, Mapping) and bool(rights.get("edit"))


async def _private(bench: Bench, users: Sequence[int]) -> Fact:
    """Tell whether a private event of a colleague is masked for an administrator, if there is one this month."""
    name = "private_hidden"
    if not bench.scene.admin:
        return Fact(name=name, why=say("it makes a difference for administrators only"))
    today = datetime.fromtimestamp(bench.clock.now()).date()  # noqa: DTZ006 - a day more or less does not matter
    window = _window(today)
    replies = await bench.ask(
        [Command(method="calendar.event.get", params={"type": "user", "ownerId": user, **window}) for user in users]
    )
    rows = [row for reply in replies for row in _events_of(reply)]
    foreign = [row for row in rows if row.get("PRIVATE_EVENT") == "1" and not _ours(row, bench.scene.caller)]
    if not foreign:
        return Fact(name=name, why=say("none of ten colleagues has a private event these weeks"))
    return Fact(name=name, value=any(row.get("IS_ACCESSIBLE_TO_USER") is False for row in foreign))


def _window(today: date) -> dict[str, Json]:
    return {"from": (today - timedelta(days=15)).isoformat(), "to": (today + timedelta(days=30)).isoformat()}


def _events_of(reply: Reply) -> Iterable[Row]:
    rows = rows_of(reply.result) if isinstance(reply, Done) else ()
    return [row for row in rows if isinstance(row, Mapping)]


def _ours(row: Row, caller: int) -> bool:
    """Return True for an event that the webhook's user sees in any case: his own, or one he is invited to."""
    guests = row.get("ATTENDEES_CODES")
    return str(row.get("CREATED_BY")) == str(caller) or (isinstance(guests, list) and f"U{caller}" in guests)


async def _groups(bench: Bench) -> Iterable[Fact]:
    """Tell whether an administrator has to ask for secret groups; for that there has to be one."""
    bench.scene.require("sonet_group", "sonet")
    if not bench.scene.admin:
        raise UnaskedError(say("it makes a difference for administrators only"))
    usual, asked = await bench.ask(
        [Command(method="sonet_group.get"), Command(method="sonet_group.get", params={"IS_ADMIN": "Y"})]
    )
    seen, all_of_them = _secret(done(usual)), _secret(done(asked))
    if all_of_them - seen:
        return (Fact(name="admin_groups", value="asked"),)
    foreign = {group for group, owner in all_of_them if owner != bench.scene.caller}
    if not foreign:
        raise UnaskedError(say("no secret group is seen that belongs to somebody else"))
    return (Fact(name="admin_groups", value="always"),)


GROUPS = Experiment(
    facts=("admin_groups",), sends=say("two lists of groups, of which only flags are looked at"), run=_groups
)


def _secret(reply: Done) -> frozenset[tuple[int, int]]:
    """Return id and owner of the secret groups in a list."""
    rows = [row for row in rows_of(reply.result) if isinstance(row, Mapping) and row.get("VISIBLE") == "N"]
    return frozenset((_id(row), _id(row, "OWNER_ID")) for row in rows)


async def _pages(bench: Bench) -> Iterable[Fact]:
    """Ask for a page far behind the end of a list."""
    bench.scene.require("crm")
    ids: Mapping[str, Json] = {"select": ["ID"], "order": {"ID": "ASC"}}
    first, beyond = await bench.ask(
        [
            Command(method="crm.contact.list", params=ids),
            Command(method="crm.contact.list", params={**ids, "start": 10_000_000}),
        ]
    )
    page, past = ([_id(row) for row in rows_of(done(reply).result)] for reply in (first, beyond))
    if not page:
        raise UnaskedError(say("there are no contacts to list"))
    return (
        Fact(name="page_past_end", value="first page" if past == page else "empty" if not past else "another page"),
    )


async def _items(bench: Bench) -> Iterable[Fact]:
    """List contacts as newer builds do; only whether there are phones and e-mails is looked at."""
    bench.scene.require("crm")
    contacts: Mapping[str, Json] = {"entityTypeId": 3, "select": ["*"], "order": {"id": "ASC"}}
    (reply,) = await bench.ask([Command(method="crm.item.list", params=contacts)])
    name = "crm_items"
    if isinstance(reply, Refused):
        is_missing = reply.code.upper() in ("ERROR_METHOD_NOT_FOUND", "NOT_FOUND")
        return (Fact(name=name, value="none" if is_missing else None, why="" if is_missing else reply.description),)
    rows = [row for row in rows_of(done(reply).result) if isinstance(row, Mapping)]
    reached = [row for row in rows if row.get("fm") or "Y" in (row.get("hasPhone"), row.get("hasEmail"))]
    if not reached:
        raise UnaskedError(say("there are no contacts with phones or e-mails to list"))
    return (Fact(name=name, value="full" if any(row.get("fm") for row in reached) else "bare"),)


ITEMS = Experiment(facts=("crm_items",), sends=say("a page of contacts, of which only flags are looked at"), run=_items)

PAGES = Experiment(
    facts=("page_past_end",), sends=say("two pages of contacts, of which only ids are looked at"), run=_pages
)
