"""Tells people once when something is wrong, and once when it is over: by message in the portal, mail or a program.

The ledger notes which troubles were told. One that is not noted is new; a noted one that no longer exists is over. So a
restart neither repeats an alert nor forgets to end one.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from tempfile import TemporaryFile
from typing import IO, Final, Literal

import structlog

from syncd import events
from syncd.clock import Clock
from syncd.config import AlertsConfig, Config, TellingConfig
from syncd.errors import SyncdError, without_frames
from syncd.lang.catalog import house, told
from syncd.lang.saying import say, say_as, say_count
from syncd.model.item import Hold
from syncd.model.record import ToldTrouble
from syncd.portal.client import Job, Portal
from syncd.portal.line.wire import Command, Done, Refused, Reply, Unknown
from syncd.scrub import Clean, printable, within
from syncd.service.mail import send_mail
from syncd.state.ledger import Ledger
from syncd.threads import require_room

_log = structlog.get_logger()
_COMMAND_TIMEOUT_S = 30.0
_LONGEST_TEXT = 1000
_MOST_EDITS = 20
_LONGEST_OUTPUT = 4000
"""How much of an alert program's output is logged, in bytes."""
_LINE_BREAK = re.compile("#br#", re.IGNORECASE)
_PASSED_ON = ("PATH", "HOME", "LANG", "TZ")
_REMEDIES: Mapping[str, str] = {
    "INSUFFICIENT_SCOPE": say("give syncd the scope im in this portal"),
    "ACCESS_ERROR": say("add syncd's user to the chat"),
    "USER_NOT_FOUND": say("correct alerts.user or alerts.chat"),
    "CHAT_ID_EMPTY": say("correct alerts.chat"),
}
_ABOUT: Final[Mapping[str, str]] = {
    str(one): one
    for one in (
        say_as("what a trouble is about", "guard"),
        say_as("what a trouble is about", "rejected"),
        say_as("what a trouble is about", "held"),
        say_as("what a trouble is about", "edits"),
        say_as("what a trouble is about", "events"),
    )
}
"""What a trouble is about, by the word in parentheses at the end of its name."""
AlertState = Literal["firing", "resolved"]
_News = tuple[AlertsConfig | None, str, AlertState, str]  # who is told, the trouble's name, and what is said of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Who is told of which trouble: the people of its portal in `of_portals`, if it has any, or `everybody`.

    `portals` names the portal of each subject, such as "sync shifts".
    """

    everybody: AlertsConfig | None = None
    of_portals: Mapping[str, AlertsConfig] = field(default_factory=dict)
    portals: Mapping[str, str] = field(default_factory=dict)

    def portal(self, name: str) -> str:
        """Return the portal whose people are told of the trouble `name`, "" for everybody."""
        portal = self.portals.get(name.partition(" (")[0], "")
        return portal if portal in self.of_portals else ""

    def people(self, portal: str) -> AlertsConfig | None:
        """Return the people of a portal; everybody for "", and for a portal that no longer has people of its own."""
        return self.of_portals.get(portal, self.everybody)


def routes_of(config: Config) -> Routes:
    """Return who is told of the troubles of each portal and sync of `config`."""
    portals = {f"portal {name}": name for name in config.portal_alerts}
    portals |= {f"sync {sync.name}": sync.portal for sync in config.syncs}
    return Routes(everybody=config.alerts, of_portals=config.portal_alerts, portals=portals)


def left_over(name: str, telling: TellingConfig, stopped: str, counts: Mapping[str, int]) -> dict[str, str]:
    """Return what the last pass of the sync `name` left for a person, of the kinds that `telling` asks for.

    `stopped` is why a safety guard stopped it, "" if none did; `counts` are those of its record.
    """
    found: dict[str, str] = {}
    if telling.guard and stopped:
        found[f"sync {name} (guard)"] = say(
            "sync {sync} was stopped by a safety guard: {reason}", sync=name, reason=stopped
        )
    if telling.rejected is not None and (count := counts.get("rejected", 0)) >= telling.rejected:
        found[f"sync {name} (rejected)"] = say_count(
            "sync {sync}: {count:,} entry rejected; `syncd status` lists them",
            "sync {sync}: {count:,} entries rejected; `syncd status` lists them",
            count, sync=name,
        )  # fmt: skip
    if telling.held is not None and (count := counts.get("held", 0)) >= telling.held:
        found[f"sync {name} (held)"] = say_count(
            "sync {sync}: {count:,} entry held; `syncd status` lists them",
            "sync {sync}: {count:,} entries held; `syncd status` lists them",
            count, sync=name,
        )  # fmt: skip
    return found


def edited_by_people(name: str, holds: Iterable[Hold]) -> dict[str, str]:
    """Return the edits in the portal that the sync `name` leaves alone: the first one by one, then a count."""
    edited = [hold for hold in holds if hold.reason.startswith(("edited in the portal", "deleted in the portal"))]
    found: dict[str, str] = {
        f"sync {name} ({hold.key})": say(
            "sync {sync}: «{title}» ({where}) was {reason}",
            sync=name, title=hold.title, where=hold.where, reason=hold.reason,
        )
        for hold in sorted(edited, key=lambda one: one.key)[:_MOST_EDITS]
    }  # fmt: skip
    if len(edited) > _MOST_EDITS:
        found[f"sync {name} (edits)"] = say_count(
            "sync {sync}: people have changed {count:,} event in the portal",
            "sync {sync}: people have changed {count:,} events in the portal",
            len(edited), sync=name,
        )  # fmt: skip
    return found


def subject_of(name: str) -> str:
    """Return what the trouble `name`, such as "sync shifts (held)", is about, in the words used to people."""
    whole, _, about = name.partition(" (")
    kind, _, which = whole.partition(" ")
    subject = name
    if kind == "sync":
        subject = say("sync {sync}", sync=which)
    elif kind == "portal":
        subject = say("portal {portal}", portal=which)
    if not about or subject is name:
        return subject
    about = about.removesuffix(")")
    return say("{subject} ({about})", subject=subject, about=_ABOUT.get(about, about))


class Alerts:
    """Remembers in the ledger which troubles were told, and tells people what is new and what is over.

    `clean` makes texts fit to be shown: they go to people and to another program.
    """

    def __init__(self, ledger: Ledger, clock: Clock, *, clean: Clean = printable) -> None:
        self._ledger = ledger
        self._clock = clock
        self._clean = clean

    async def update(
        self,
        troubles: Mapping[str, str],
        routes: Routes,
        portals: Mapping[str, Portal],
        about: Collection[str] | None = None,
    ) -> None:
        """Log which of `troubles` (name -> text) are new and which are over, and tell the people named by `routes`.

        `about` are the portals that these troubles are about, if several machines share the portals: troubles of other
        portals are not taken to be over. Raises StateError if the ledger cannot remember it. Then nobody is told, or
        they would be told again and again.
        """
        known, troubles = await self._ledger.told_alerts(about), within(troubles, self._clean)
        begun = {name: text for name, text in troubles.items() if name not in known}
        over = sorted(name for name in known if name not in troubles)
        if not begun and not over:
            return
        new = {name: ToldTrouble(text=text, portal=routes.portal(name)) for name, text in begun.items()}
        kept = {name: one for name, one in {**known, **new}.items() if name not in over}
        # Remembered before anything is sent: a crash in between loses one message, the other order could repeat it.
        await self._ledger.note_told_alerts(kept, self._clock.now(), about)
        news: list[_News] = []
        for name, text in sorted(begun.items()):
            _log.error(events.ALERT_RAISED, what=name, text=text)
            news.append((routes.people(routes.portal(name)), name, "firing", text))
        for name in over:
            _log.warning(events.ALERT_RESOLVED, what=name)
            # Those who heard of it, also where the sync has another portal now, or has left the config.
            portal = known[name].portal
            portal = routes.portal(name) if portal is None else portal
            resolved = say("{subject}: resolved", subject=within(subject_of(name), self._clean))
            news.append((routes.people(portal), name, "resolved", resolved))
        await self._tell(news, portals)

    async def _tell(self, news: Sequence[_News], portals: Mapping[str, Portal]) -> None:
        """Tell everybody; a portal, mail server or program that does not answer holds up only what goes to it."""
        lines: defaultdict[object, list[Callable[[], Awaitable[None]]]] = defaultdict(list)
        for config, name, state, message in news:
            if config is None:
                continue
            language = config.language or house()
            text = told(message, language)
            if config.portal is not None:
                tell = _Messages(portals[config.portal]).tell
                lines[config.portal].append(partial(tell, config, f"syncd: {plain(text)}"))
            if config.email and config.smtp is not None:
                subject = say("syncd: {subject}: firing", subject=subject_of(name))
                if state == "resolved":
                    subject = say("syncd: {subject}: resolved", subject=subject_of(name))
                mail = partial(self._mail, config, one_line(told(subject, language)), one_line(text))
                lines[config.smtp.host, config.smtp.port].append(mail)
            if config.command:
                facts = {"SYNCD_ALERT": name, "SYNCD_STATE": state, "SYNCD_TEXT": text}
                lines[config.command].append(partial(_run, config.command, facts))
        await asyncio.gather(*map(_in_turn, lines.values()))

    async def _mail(self, config: AlertsConfig, subject: str, text: str) -> None:
        if failed := await send_mail(config, subject, text):
            _log.error(events.ALERT_FAILED, by="mail", to=", ".join(config.email), reason=within(failed, self._clean))


async def _in_turn(works: Sequence[Callable[[], Awaitable[None]]]) -> None:
    for work in works:
        await work()


def plain(text: str) -> str:
    """Return `text` so that the portal shows it literally, on one line and at most 1000 characters long.

    Messages are BB-code, and an error may quote a feed or a server: brackets, addresses and line breaks in it would
    become mentions, buttons, links and pictures (PORTAL.md 10.3).
    """
    line = one_line(text)
    for active, harmless in (("[", "("), ("]", ")"), ("://", ": //")):
        line = line.replace(active, harmless)
    line = _LINE_BREAK.sub("# br #", line)
    return line if len(line) <= _LONGEST_TEXT else line[: _LONGEST_TEXT - 1] + "…"


def one_line(text: str) -> str:
    """Return `text` on one line, without characters that are not printable."""
    # Separators such as U+2028 are not printable either; the portal and mails would break the line there.
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


class _Outcomes:
    """The journal of a message. It writes nothing down: a message that may have arrived is never sent again."""

    def __init__(self) -> None:
        self.outcomes: list[Reply] = []

    async def intend(self, jobs: Sequence[Job]) -> None:
        pass

    async def settle(self, outcomes: Sequence[tuple[Job, Reply]]) -> None:
        self.outcomes += [outcome for _, outcome in outcomes]


class _Messages:
    """Sends messages through a portal (PORTAL.md 10). A failure is logged and stops nothing."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def tell(self, config: AlertsConfig, text: str) -> None:
        """Notify the user and write into the chat that the config names.

        If the portal does not make the notice, the text is sent as a private message: the user may have switched
        notices off, or only applications may send them (the documentation contradicts itself here).
        """
        if config.user is not None:
            notice = Command(method="im.notify.system.add", params={"USER_ID": config.user, "MESSAGE": text})
            outcome = await self._send(notice)
            if _made(outcome) is False:
                outcome = await self._send(_message(str(config.user), text))
            self._log_failure(outcome, f"user {config.user}")
        if config.chat is not None:
            self._log_failure(await self._send(_message(config.chat, text)), config.chat)

    async def _send(self, message: Command) -> Reply | SyncdError:
        journal = _Outcomes()
        failure: Reply | SyncdError = Unknown(reason=say("nothing was answered"))
        try:
            # Not repeatable: the same alarm twice teaches people to ignore alarms.
            await self._portal.push([Job(id=0, command=message, repeatable=False)], journal, asyncio.Event())
        except SyncdError as error:
            failure = without_frames(error)
        return journal.outcomes[0] if journal.outcomes else failure

    def _log_failure(self, outcome: Reply | SyncdError, recipient: str) -> None:
        reason, remedy = "", ""
        match outcome:
            case Done():
                if _made(outcome):
                    return
                reason = say("the portal made no message of it")
            case Refused(code=code, description=description):
                reason = ": ".join(part for part in (code, description) if part)
                remedy = _REMEDIES.get(code.upper(), "")
            case Unknown(reason=seen):
                reason = say("it may or may not have arrived: {reason}", reason=seen)
            case SyncdError():
                reason, remedy = outcome.message, outcome.remedy
        _log.error(events.ALERT_FAILED, by=f"portal {self._portal.name}", to=recipient, reason=reason, remedy=remedy)


def _message(dialog: str, text: str) -> Command:
    return Command(method="im.message.add", params={"DIALOG_ID": dialog, "MESSAGE": text, "URL_PREVIEW": "N"})


def _made(outcome: Reply | SyncdError) -> bool | None:
    """Return True if the portal made a message; None if that is unknown, or if no other way could work either."""
    match outcome:
        case Done(result=result):
            return isinstance(result, int) and not isinstance(result, bool)
        case Refused(reach="command"):
            return False
        case _:
            return None


async def _run(command: Sequence[str], facts: Mapping[str, str]) -> None:
    """Run the program with `facts` in its environment, and log the end of its output.

    Of the service's own environment it gets only a few harmless variables, as the rest may hold a webhook. Its output
    is not passed on unchanged: a program that fails often prints the address it was given.
    """
    kept = {name: value for name, value in os.environ.items() if name in _PASSED_ON}
    with TemporaryFile() as output:  # a file and no pipe: what the program leaves running may hold on to it
        try:
            require_room()  # asyncio waits for a process in a thread
            process = await asyncio.create_subprocess_exec(
                *command, env={**kept, **facts}, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
            )
        except (OSError, MemoryError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            _log.error(events.ALERT_FAILED, by=command[0], reason=reason)
            return
        await _end(command[0], process)
        if said := _tail(output):
            _log.info(events.ALERT_SAID, by=command[0], text=said)


def _tail(output: IO[bytes]) -> str:
    """Return the last lines that a program has printed."""
    output.seek(max(0, output.seek(0, os.SEEK_END) - _LONGEST_OUTPUT))
    return output.read(_LONGEST_OUTPUT).decode("utf-8", "backslashreplace").strip()


async def _end(program: str, process: asyncio.subprocess.Process) -> None:
    """Wait until the program of an alert ends; log it if it fails or takes too long."""
    try:
        code = await asyncio.wait_for(process.wait(), _COMMAND_TIMEOUT_S)
    except TimeoutError:
        process.kill()  # or it would hold up every later alert
        await process.wait()
        _log.error(
            events.ALERT_FAILED, by=program, reason=say("took longer than {seconds:.0f} s", seconds=_COMMAND_TIMEOUT_S)
        )
        return
    except asyncio.CancelledError:  # asyncio would kill it too, later and without a word, once it is forgotten
        with suppress(ProcessLookupError):
            process.kill()
        if await process.wait():
            _log.error(events.ALERT_FAILED, by=program, reason=say("syncd was stopped meanwhile"))
        raise
    if code:
        _log.error(events.ALERT_FAILED, by=program, reason=say("ended with code {code}", code=code))
