"""Where several machines could speak to a portal: nothing leaves once the permit has ended, and nothing is settled."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import LostLeaseError
from syncd.model.tenure import Tenure
from syncd.portal.client import Job
from syncd.portal.exchange.session import Question
from syncd.portal.limits.pace import Limits
from syncd.portal.line.transport import AiohttpTransport, Webhook
from syncd.portal.line.wire import Command
from tests.portal.fake import ADD, FakePortal, Ledger, jobs_of
from tests.portal.test_push import portal_of
from tests.support.simclock import run_virtual


class SlowLedger(Ledger):
    """Takes `pause_s` to write intents down, as when the machine is frozen there."""

    def __init__(self, pause_s: float) -> None:
        super().__init__()
        self.pause_s = pause_s

    async def intend(self, jobs: Sequence[Job]) -> None:
        await super().intend(jobs)
        await asyncio.sleep(self.pause_s)


def pushed_until(deadline: float, *, pause_s: float = 0.0, jobs: int = 400) -> tuple[FakePortal, SlowLedger, bool]:
    """Push with a permit that ends at `deadline`; return whether it was lost."""

    async def main() -> tuple[FakePortal, SlowLedger, bool]:
        fake, ledger = FakePortal(costs=lambda method: 0.5), SlowLedger(pause_s)
        permit = Tenure("main", "one", 1, clock=asyncio.get_running_loop().time, deadline=deadline)
        portal = portal_of(fake, Limits(batch_size=10), permit=permit)
        lost = False
        try:
            await portal.push(jobs_of(ADD, jobs), ledger, asyncio.Event())
        except LostLeaseError:
            lost = True
        await asyncio.sleep(200)  # whatever is under way at the portal ends
        return fake, ledger, lost

    return run_virtual(main())


@given(st.floats(0.0, 20.0), st.floats(0.0, 3.0))
def test_no_request_leaves_after_the_permit_has_ended(deadline: float, pause_s: float) -> None:
    fake, ledger, lost = pushed_until(deadline, pause_s=pause_s)
    assert lost
    assert all(at <= deadline for at in fake.requests_at)
    assert set(fake.executed.values()) <= {1}
    assert len(ledger.settled) <= len(fake.executed)


def test_what_was_intended_before_the_permit_ended_stays_open() -> None:
    fake, ledger, lost = pushed_until(5.0, pause_s=10.0)
    assert lost
    assert fake.requests == 0
    assert ledger.intended
    assert not ledger.settled


def test_a_permit_that_lasts_changes_nothing() -> None:
    fake, ledger, lost = pushed_until(1e9)
    assert not lost
    assert len(ledger.settled) == 400
    assert set(fake.executed.values()) == {1}


def test_a_probe_asks_nothing_without_a_permit() -> None:
    async def main() -> int:
        fake = FakePortal()
        permit = Tenure("main", "one", 1, clock=asyncio.get_running_loop().time, deadline=0.0)
        portal = portal_of(fake, permit=permit)
        with pytest.raises(LostLeaseError):
            await portal.ask(Question(commands=(Command(method="profile"),)))
        with pytest.raises(LostLeaseError):
            await portal.read("profile", {})
        return fake.requests

    assert run_virtual(main()) == 0


class Heard:
    """A server that takes connections, writes down every byte, and answers each request."""

    def __init__(self) -> None:
        self.heard = b""
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while part := await reader.read(65_536):
            self.heard += part
            body = b'{"result": 1}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
        writer.close()


async def test_not_a_byte_leaves_on_a_connection_that_came_too_late() -> None:
    heard, now = Heard(), [0.0]
    server = await asyncio.start_server(heard.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    permit = Tenure("main", "one", 1, clock=lambda: now[0], deadline=10.0)
    transport = AiohttpTransport(Webhook(address=f"http://127.0.0.1:{port}/rest/1/code123/"), permit=permit)
    now[0] = 11.0  # while it was connecting
    with pytest.raises(LostLeaseError):
        await transport.post("calendar.event.add", b"{}", 5)
    await transport.close()
    server.close()
    await asyncio.sleep(0.05)
    assert (heard.connections, heard.heard) == (1, b"")


async def test_not_a_byte_leaves_on_a_connection_that_was_kept_open() -> None:
    heard, now = Heard(), [0.0]
    server = await asyncio.start_server(heard.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    permit = Tenure("main", "one", 1, clock=lambda: now[0], deadline=10.0)
    transport = AiohttpTransport(Webhook(address=f"http://127.0.0.1:{port}/rest/1/code123/"), permit=permit)
    await transport.post("profile", b"{}", 5)
    before, now[0] = heard.heard, 11.0
    with pytest.raises(LostLeaseError):
        await transport.post("calendar.event.add", b"{}", 5)
    await transport.close()
    server.close()
    await asyncio.sleep(0.05)
    assert before.count(b"POST") == 1
    assert (heard.connections, heard.heard) == (1, before)
