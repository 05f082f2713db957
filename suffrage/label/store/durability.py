"""Waiting until a commit is on the disk, many commits at a time.

With `synchronous = FULL`, SQLite waits for the disk at every commit while nobody else may write:
at 5 ms a wait, 200 commits a second. Here commits only reach the operating system
(`synchronous = NORMAL`), and whoever committed waits afterwards for one `fsync` of the log that
serves all who committed before it began. What is acknowledged is as safe as with FULL: the log is
what a restart reads, and SQLite itself syncs it before it is folded into the database.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from threading import Condition, Lock
from weakref import WeakKeyDictionary

if sys.platform != "win32":
    import fcntl


class Owed:
    """`waits`: something was committed, and nobody has waited for the disk yet."""

    waits = False


_owed: ContextVar[Owed | None] = ContextVar("owed", default=None)


@contextmanager
def waiting_later() -> Iterator[Owed]:
    """Within, no commit waits for the disk: who must not stand still waits afterwards."""
    owed = Owed()
    token = _owed.set(owed)
    try:
        yield owed
    finally:
        _owed.reset(token)


class Turn:
    """Held by one writer at a time: SQLite's own waiting sleeps between tries.

    The file, if there is one, holds nothing; the system gives back the turn of a killed process.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._thread = Lock()
        self._file = None if file is None else os.open(file, os.O_RDWR | os.O_CREAT, 0o600)

    def __enter__(self) -> None:
        self._thread.acquire()
        try:
            self._lock(True)
        except BaseException:
            self._thread.release()
            raise

    def __exit__(self, *error: object) -> None:
        self._lock(False)
        self._thread.release()

    def _lock(self, mine: bool) -> None:
        if sys.platform != "win32" and self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_EX if mine else fcntl.LOCK_UN)


class _Turns:
    """One loop's waiting for the disk that runs now, and the next, which has not begun."""

    now: asyncio.Task[None] | None = None
    next: asyncio.Task[None] | None = None


class GroupSync:
    """Shared by the threads that write one database of SQLite.

    turns: a file by which the processes of a server take turns to write, where there are several.
    """

    def __init__(self, database: Path, turns: Path | None = None) -> None:
        self.turn = Turn(turns)
        self._log = database.with_name(database.name + "-wal")
        self._change = Condition()
        self._begun = self._ended = 0
        self._running = False
        self._of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns] = WeakKeyDictionary()

    async def reached(self) -> None:
        """As `wait`, where nothing may stand still: one thread waits for all who ask meanwhile."""
        turns = self._of_loops.setdefault(asyncio.get_running_loop(), _Turns())
        if turns.next is None:
            turns.next = asyncio.create_task(self._turn(turns))
        await asyncio.shield(turns.next)

    async def _turn(self, turns: _Turns) -> None:
        if turns.now is not None:
            await asyncio.wait({turns.now})
        turns.now, turns.next = turns.next, None  # who asks from here on may have committed later
        await asyncio.to_thread(self.wait)

    def wait(self) -> None:
        """Return when everything committed before this call is on the disk.

        Within `waiting_later`, at once.
        """
        if (owed := _owed.get()) is not None:
            owed.waits = True
            return
        with self._change:
            needed = self._begun + 1  # one that runs now may have begun before the commit
            while self._ended < needed:
                if self._running:
                    self._change.wait()
                else:
                    self._run()

    def _run(self) -> None:
        self._begun += 1
        mine, self._running = self._begun, True
        self._change.release()
        try:
            self._sync()
        finally:
            self._change.acquire()
            self._running = False
            self._change.notify_all()
        self._ended = mine

    def _sync(self) -> None:
        try:
            log = os.open(self._log, os.O_RDWR)
        except FileNotFoundError:  # the last connection closed: all is in the database, synced
            return
        try:
            os.fsync(log)
        finally:
            os.close(log)
