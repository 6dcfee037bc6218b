"""Keeps the leases of this process, in a thread and on a connection of its own: neither a busy event loop nor a long
write of the ledger lets one run out.

Whatever the database does not answer in time is cut off and tried again on another connection, for a line that is dead
in one direction only is noticed by nobody else. A lease that could not be renewed ends by the clock, not by an answer.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

import psycopg

from syncd.errors import StateUnavailableError, StateUnreachableError
from syncd.lang.saying import say
from syncd.model.lease import Board, LeaseTerms, OtherClock
from syncd.model.tenure import Tenure
from syncd.state.postgres import leases
from syncd.state.postgres.leases import Connection, Identity
from syncd.state.postgres.trouble import in_one_line, is_lost
from syncd.threads import begin

T = TypeVar("T")

_AGAIN_S: Final = 1.0
"""How long after a failure the database is asked again, at most."""
_AFTER_AN_END_S: Final = 0.03
"""How long after the end of another machine's lease to look at it: the database counts in microseconds."""
_SOONEST_S: Final = 0.1


class Keeper:
    """Holds leases as `who`, by `terms`; started by `open`. It implements `state/leases.py: Leases`.

    `connect` returns a connection that commits by itself, the schema with the tables, and whether there is a pooler
    before the server; it raises psycopg.Error. `clock` is that of `Tenure`.
    """

    def __init__(
        self,
        connect: Callable[[], tuple[Connection, str, bool]],
        who: Identity,
        terms: LeaseTerms,
        *,
        clock: Callable[[], float],
    ) -> None:
        self.who = who
        self.terms = terms
        self.board = Board()
        self.trouble = ""
        """Why the database could not be asked the last time, "" if it could."""
        self.tenures: Mapping[str, Tenure] = {}
        """What is held, by portal; replaced as a whole, so that others can read it at any time."""
        self.changed = asyncio.Event()
        self.failure: BaseException | None = None
        """The error that has ended the thread, None while it runs."""
        self._there = OtherClock()
        self._connect = connect
        self._clock = clock
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._portals: Mapping[str, int] | None = None
        self._leaving = False
        self._connection: Connection | None = None
        self._schema = ""
        self._jobs: SimpleQueue[tuple[Callable[[], object], Future[Any]] | None] = SimpleQueue()
        self._over = False
        self._heard = False
        self._woken, self._waker = os.pipe()
        self._next = 0.0
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    async def open(self) -> None:
        """Start; raises StateUnavailableError if the database cannot be asked."""
        self._loop = asyncio.get_running_loop()
        begin(self._thread)
        try:
            await self._done(lambda: self._beat(raising=True))
        except BaseException:
            self._stop()
            raise

    async def join(self, portals: Mapping[str, int]) -> None:
        """Share the portals: tell the others which of them can be served here, with how many syncs each."""
        self._portals = portals
        await self._done(self._beat)

    async def part(self) -> None:
        """Tell the others that this member is about to leave, so that they take what it gives back."""
        self._leaving = True
        await self._done(self._beat)

    async def take(self, portal: str) -> Tenure | None:
        """Take the lease of `portal`; return None if somebody holds it (`board` tells who)."""
        return await self._done(lambda: self._take(portal))

    async def give_back(self, portals: Sequence[str]) -> None:
        """Give back the leases of `portals`. If the database cannot be told, they end by themselves."""
        await self._done(lambda: self._give_back(portals))

    def go_by(self, terms: LeaseTerms) -> None:
        """Hold leases by other `terms` from the next renewal on, which follows at once."""
        self.terms = terms
        self._put((self._beat, Future()))

    def forget(self, portals: Collection[str]) -> None:
        """Stop renewing the leases of `portals`, without telling the database: they are given back, or already lost."""
        with self._lock:
            gone = [one for name, one in self.tenures.items() if name in portals]
            self.tenures = {name: one for name, one in self.tenures.items() if name not in portals}
        for one in gone:
            one.end(say("it was given back"))

    async def ask_back(self, portal: str) -> bool:
        """Ask the holder of `portal` to give it back; return False if nobody holds it."""
        return await self._done(lambda: self._work(lambda connection: leases.ask_back(connection, portal)))

    async def look(self) -> Board:
        """Return who holds what, as the database says now."""
        await self._done(lambda: self._beat(raising=True))
        return self.board

    async def close(self) -> None:
        """Give everything back, and end. A second call does nothing."""
        if self._thread.is_alive():
            with suppress(StateUnavailableError):  # it has just ended
                await self._done(self._leave)
            self._stop()
            await asyncio.to_thread(self._thread.join, self._patience_s)

    @property
    def _patience_s(self) -> float:
        """How long one piece of work may take: a second try must still come in time."""
        return max(1.0, self.terms.renew_s / 2)

    async def _done(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, run in the thread; raises what it raises."""
        done: Future[T] = Future()
        self._put((work, done))
        try:
            # Not cancelled with who waits: a lease that was taken must be known.
            return await asyncio.shield(asyncio.wrap_future(done))
        except psycopg.Error as error:
            # A daemon that is just starting waits for one that cannot be reached.
            kind = StateUnreachableError if is_lost(error) else StateUnavailableError
            raise kind(
                say("the database with the leases does not answer: {error}", error=in_one_line(error)),
                say("it is asked again by itself"),
            ) from error

    def _tell(self) -> None:
        """Wake everybody who waits for a change; called in the thread."""

        def ring() -> None:
            self.changed.set()
            self.changed = asyncio.Event()

        assert self._loop is not None
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(ring)

    def _put(self, job: tuple[Callable[[], object], Future[Any]] | None) -> None:
        """Let the thread run a job, or end if it is None. A job that comes after its end is refused."""
        with self._lock:
            if not self._over:
                self._jobs.put(job)
                os.write(self._waker, b"x")
            elif job is not None:
                job[1].set_exception(StateUnavailableError(say("the leases are no longer kept"), say("restart syncd")))

    def _stop(self) -> None:
        self._put(None)

    def _run(self) -> None:
        """Do what is asked, listen, and renew in time; the body of the thread."""
        try:
            self._work_on()
        except BaseException as error:
            self.failure = error  # whoever shares the portals out ends the process: a new one is the better chance
            self._tell()
            raise
        finally:
            self._drop()
            self._end()

    def _end(self) -> None:
        """Refuse the jobs that are left: whoever waits for one would wait for ever."""
        with self._lock:
            self._over = True
            for line in (self._woken, self._waker):
                os.close(line)
        with suppress(Empty):
            while True:
                self._put(self._jobs.get_nowait())

    def _work_on(self) -> None:
        while True:
            # What was said while the board was looked at is no longer on the line.
            heard = self._wait(0.0 if self._heard else max(0.0, self._next - self._clock()))
            try:
                while (job := self._jobs.get_nowait()) is not None:
                    _do(*job)
            except Empty:
                pass
            else:
                break
            if heard or self._heard or self._clock() >= self._next:
                self._beat()

    def _wait(self, seconds: float) -> bool:
        """Wait so long, or until there is something to do; return True if the database sent a notification."""
        connection = self._connection
        try:
            line = connection.fileno() if connection is not None else -1
            poll = select.poll()  # `select` refuses descriptors beyond 1023
            for one in (self._woken, line) if connection is not None else (self._woken,):
                poll.register(one, select.POLLIN)
            ready = {one for one, _ in poll.poll(seconds * 1000)}
            if self._woken in ready:
                os.read(self._woken, 4096)
            if connection is None or line not in ready:
                return False
            connection.pgconn.consume_input()
            return connection.pgconn.notifies() is not None or self._heard
        except psycopg.Error:  # the line is dead, or the server has ended the session
            self._drop()
            return True

    def _beat(self, *, raising: bool = False) -> None:
        """Renew what is held, tell that this member is alive, and look at the board.

        A lease that the database did not renew ends its tenure; `service/tenancy.py: Tenancy._settle` then cuts its
        passes off.
        """
        asked_at, self._heard, terms = self._clock(), False, self.terms
        held = self.tenures
        epochs = {one.portal: one.epoch for one in held.values() if one.valid()}
        for one in held.values():
            one.end_by(terms.deadline(asked_at))  # of shorter terms the database may hear without answering

        def work(connection: Connection) -> tuple[frozenset[str], Board]:
            renewed = leases.renew(connection, self.who, terms, epochs)
            if self._portals is not None:
                leases.beat(connection, self.who, terms, self._portals, leaving=self._leaving)
            leases.mend(connection)
            return renewed, leases.look(connection)

        try:
            renewed, self.board = self._work(work)
        except psycopg.Error as error:
            self.trouble = in_one_line(error)
            self._next = self._clock() + min(_AGAIN_S, self.terms.renew_s)
            self._tell()
            if raising:
                raise
            return
        self.trouble = ""
        self._there.seen(self.board.now, terms, asked_at=asked_at, now=self._clock())
        for portal in epochs:
            if portal in renewed:
                held[portal].renewed(terms.deadline(asked_at))
            else:
                held[portal].end(say("another machine has taken it, or it has ended"))
        self._next = asked_at + self._pause_s()
        self._tell()

    def _pause_s(self) -> float:
        """Return when to look again: at the next renewal, or as soon as another's lease or membership has ended."""
        own = self.who.holder
        ends = [one.left_s for one in self.board.leases if one.holder != own]
        ends += [one.left_s for one in self.board.members if one.holder != own]
        soonest = min((left_s + _AFTER_AN_END_S for left_s in ends if left_s > 0), default=self.terms.renew_s)
        return max(_SOONEST_S, min(self.terms.renew_s, soonest))

    def _take(self, portal: str) -> Tenure | None:
        asked_at, terms = self._clock(), self.terms

        def doubted(there: float) -> bool:
            self._there.seen(there, terms, asked_at=asked_at, now=self._clock())
            return self._there.doubted(self._clock())

        taken = self._work(lambda connection: leases.take(connection, self.who, terms, portal, doubted))
        if taken is None:
            return None
        tenure = Tenure(
            portal,
            self.who.holder,
            taken.epoch,
            clock=self._clock,
            deadline=terms.deadline(asked_at),
            orderly=taken.orderly,
        )
        with self._lock:
            self.tenures = {**self.tenures, portal: tenure}
        return tenure

    def _give_back(self, portals: Sequence[str]) -> None:
        tenures = self.tenures
        epochs = {name: tenures[name].epoch for name in portals if name in tenures and tenures[name].valid()}
        self.forget(portals)
        with suppress(psycopg.Error):
            self._work(lambda connection: leases.give_back(connection, self.who, epochs))

    def _leave(self) -> None:
        self._give_back([*self.tenures])
        if self._portals is not None:
            self._portals = None
            with suppress(psycopg.Error):
                self._work(lambda connection: leases.leave(connection, self.who))

    def _work(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` does in a transaction; a connection that fails is given up. Raises psycopg.Error."""
        try:
            connection = self._connected()
            with _cut_off(connection, self._patience_s), leases.transaction(connection, self._schema):
                return work(connection)
        except psycopg.Error:
            self._drop()
            raise

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection, self._schema, pooled = self._connect()
            if not pooled:  # behind a pooler the session that listens would be somebody else's at once
                self._connection.add_notify_handler(self._hear)
                with _cut_off(self._connection, self._patience_s):
                    self._connection.execute(f"LISTEN {leases.CHANNEL}")
        return self._connection

    def _hear(self, _: psycopg.Notify) -> None:
        """Note a notification that the database sends while it answers something else."""
        self._heard = True

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error, OSError):
                connection.close()


def _do(work: Callable[[], object], done: Future[Any]) -> None:
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - whoever waits gets it
        done.set_exception(error)
    else:
        done.set_result(result)


@contextmanager
def _cut_off(connection: Connection, seconds: float) -> Iterator[None]:
    """Break the connection if the body takes longer than `seconds`, so that it raises and does not wait for ever."""
    # A descriptor of its own: by the time it is used, that of the connection may belong to another one.
    line = socket.socket(fileno=os.dup(connection.fileno()))

    def cut() -> None:
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    try:
        begin(timer)
    except MemoryError as error:
        line.close()
        raise psycopg.OperationalError(str(error)) from None  # the next try may find room
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        line.close()
