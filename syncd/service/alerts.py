"""Tells people once when something is wrong, and once when it is over: by message in the portal, or by a program."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from typing import Literal

import structlog

from syncd.clock import Clock
from syncd.config import AlertsConfig
from syncd.errors import SyncdError
from syncd.portal.client import Job, Portal
from syncd.portal.line.wire import Command, Done, Outcome, Refused, Unknown
from syncd.state.ledger import Ledger

_log = structlog.get_logger()
_SCOPE = "alerts"
_NAME = "told"
_COMMAND_TIMEOUT_S = 30.0
_LONGEST_TEXT = 1000
_LINE_BREAK = re.compile("#br#", re.IGNORECASE)
_REMEDIES: Mapping[str, str] = {
    "INSUFFICIENT_SCOPE": "give the webhook of this portal the scope im",
    "ACCESS_ERROR": "add the webhook's user to the chat",
    "USER_NOT_FOUND": "correct alerts.user or alerts.chat",
    "CHAT_ID_EMPTY": "correct alerts.chat",
}
State = Literal["firing", "resolved"]


class _Answers:
    """A journal of messages: one that may or may not have arrived is not sent again."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    async def intend(self, jobs: Sequence[Job]) -> None:
        """Nothing is written down: a message is told about once, whatever becomes of it."""

    async def settle(self, outcomes: Sequence[tuple[Job, Outcome]]) -> None:
        """Remember what the portal said."""
        self.outcomes += [outcome for _, outcome in outcomes]


class Alerts:
    """Remembers, across restarts, what was told; says what has begun and what is over since."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def weigh(
        self, troubles: Mapping[str, str], config: AlertsConfig | None, portals: Mapping[str, Portal]
    ) -> None:
        """Log, and tell whom the config names, what of `troubles` (name -> text) is new and what is over.

        Raises StateError when that cannot be remembered; then nobody is told either.
        """
        note = await self._ledger.read_note(_SCOPE, _NAME)
        told = dict(note[0]) if note is not None and isinstance(note[0], Mapping) else {}
        begun = {name: text for name, text in troubles.items() if name not in told}
        over = sorted(name for name in told if name not in troubles)
        if not begun and not over:
            return
        kept = {name: str(text) for name, text in {**told, **begun}.items() if name not in over}
        await self._ledger.note(_SCOPE, _NAME, kept, self._clock.now())
        for name, text in sorted(begun.items()):
            _log.error("alert.raised", what=name, text=text)
            await self._tell(name, "firing", text, config, portals)
        for name in over:
            _log.warning("alert.resolved", what=name)
            await self._tell(name, "resolved", f"{name}: all is well again", config, portals)

    async def _tell(
        self, name: str, state: State, text: str, config: AlertsConfig | None, portals: Mapping[str, Portal]
    ) -> None:
        if config is None:
            return
        if config.portal is not None:
            await _Messages(portals[config.portal]).tell(config, f"syncd: {plain(text)}")
        if config.command:
            await _run(config.command, {"SYNCD_ALERT": name, "SYNCD_STATE": state, "SYNCD_TEXT": text})


def plain(text: str) -> str:
    """Return `text` so that the portal shows it as it stands, on one line and at most 1000 characters long.

    Messages are BB-code, and an error may quote a feed or a server: brackets, addresses and line breaks would make
    mentions, buttons, links and pictures of it (PORTAL.md 10.3).
    """
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    for active, harmless in (("[", "("), ("]", ")"), ("://", ": //")):
        line = line.replace(active, harmless)
    line = _LINE_BREAK.sub("# br #", line)
    return line if len(line) <= _LONGEST_TEXT else line[: _LONGEST_TEXT - 1] + "…"


class _Messages:
    """Tells people through a portal (PORTAL.md 10); what cannot be told is logged, and stops nothing."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def tell(self, config: AlertsConfig, text: str) -> None:
        """Notify the user and write into the chat that the config names.

        A notice that the portal does not make, because the user has switched them off or because only applications
        may send them (on which the documentation is of two minds), goes as a private message instead.
        """
        if config.user is not None:
            notice = Command(method="im.notify.system.add", params={"USER_ID": config.user, "MESSAGE": text})
            outcome = await self._sent(notice)
            if _made(outcome) is False:
                outcome = await self._sent(_message(str(config.user), text))
            self._log_failure(outcome, f"user {config.user}")
        if config.chat is not None:
            self._log_failure(await self._sent(_message(config.chat, text)), config.chat)

    async def _sent(self, message: Command) -> Outcome | SyncdError:
        answers = _Answers()
        try:
            await self._portal.push([Job(id=0, command=message, repeatable=False)], answers, asyncio.Event())
        except SyncdError as error:
            return answers.outcomes[0] if answers.outcomes else error
        return answers.outcomes[0] if answers.outcomes else Unknown(reason="nothing was answered")

    def _log_failure(self, outcome: Outcome | SyncdError, whom: str) -> None:
        remedy = ""
        match outcome:
            case Done():
                if _made(outcome):
                    return
                reason = "the portal made no message of it"
            case Refused(code=code, description=description):
                reason = ": ".join(part for part in (code, description) if part)
                remedy = _REMEDIES.get(code.upper(), "")
            case Unknown(reason=seen):
                reason = f"it may or may not have arrived: {seen}"
            case SyncdError():
                reason, remedy = outcome.message, outcome.remedy
        _log.error("alert.failed", by=f"portal {self._portal.name}", to=whom, reason=reason, remedy=remedy)


def _message(dialog: str, text: str) -> Command:
    return Command(method="im.message.add", params={"DIALOG_ID": dialog, "MESSAGE": text, "URL_PREVIEW": "N"})


def _made(outcome: Outcome | SyncdError) -> bool | None:
    """Say whether the portal made a message; None when it cannot be known, or asking in another way is of no use."""
    match outcome:
        case Done(result=result):
            return isinstance(result, int) and not isinstance(result, bool)
        case Refused(reach="command"):
            return False
        case _:
            return None


async def _run(command: Sequence[str], facts: Mapping[str, str]) -> None:
    """Run the program with `facts` in its environment; what it prints goes to the log of the service."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TZ")}
    try:
        process = await asyncio.create_subprocess_exec(
            *command, env={**kept, **facts}, stdin=asyncio.subprocess.DEVNULL
        )
    except OSError as error:
        _log.error("alert.failed", by=command[0], reason=error.strerror or str(error))
        return
    try:
        code = await asyncio.wait_for(process.wait(), _COMMAND_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        _log.error("alert.failed", by=command[0], reason=f"took longer than {_COMMAND_TIMEOUT_S:.0f} s")
        return
    if code:
        _log.error("alert.failed", by=command[0], reason=f"ended with code {code}")
