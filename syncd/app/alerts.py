"""Tells people once when something is wrong, and once when it is over: by message in the portal, or by a program."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Literal

import structlog

from syncd.clock import Clock
from syncd.config import AlertsConfig
from syncd.errors import SyncdError
from syncd.portal.client import Job, Portal
from syncd.portal.wire import Command, Done, Outcome
from syncd.state.ledger import Ledger

_log = structlog.get_logger()
_SCOPE = "alerts"
_NAME = "told"
_COMMAND_TIMEOUT_S = 30.0
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
            messages = []
            if config.user is not None:
                messages.append(
                    Command(method="im.notify.system.add", params={"USER_ID": config.user, "MESSAGE": f"syncd: {text}"})
                )
            if config.chat is not None:
                messages.append(
                    Command(method="im.message.add", params={"DIALOG_ID": config.chat, "MESSAGE": f"syncd: {text}"})
                )
            await _send(portals[config.portal], messages)
        if config.command:
            await _run(config.command, {"SYNCD_ALERT": name, "SYNCD_STATE": state, "SYNCD_TEXT": text})


async def _send(portal: Portal, messages: Sequence[Command]) -> None:
    answers = _Answers()
    jobs = [Job(id=number, command=message, repeatable=False) for number, message in enumerate(messages)]
    try:
        await portal.push(jobs, answers, asyncio.Event())
    except SyncdError as error:
        _log.error("alert.failed", by=f"portal {portal.name}", reason=str(error))
        return
    for outcome in answers.outcomes:
        if not isinstance(outcome, Done):
            reason = getattr(outcome, "description", "") or getattr(outcome, "reason", "")
            _log.error(
                "alert.failed", by=f"portal {portal.name}", reason=reason, remedy="the webhook needs the scope im"
            )


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
