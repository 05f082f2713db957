"""Many at once, and killed in the middle: nothing lost, nothing twice, never too many."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any

import pytest
import sqlalchemy as sa

from suffrage.label.queue import Nothing, next_work
from suffrage.label.store import durability
from suffrage.label.store.contents import TaskPlan, groups
from suffrage.label.store.database import Store, open_store
from suffrage.label.store.durability import GroupSync, Turn, waiting_later
from suffrage.label.store.errors import LabelError
from suffrage.label.store.judgments import Vote, submit
from suffrage.label.store.raters import Rater
from suffrage.label.store.schema import assignments, tasks
from tests.label.store.project import filled, vote, work_for

THREADS = 8


def at_once(work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """The results of the work on every item, in as many threads."""
    items = list(items)
    start = Barrier(len(items))

    def run(item: Any) -> Any:
        start.wait()
        return work(item)

    with ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(run, items))


def judge_all(store: Store, rater: Rater) -> list[str]:
    """Judge, sending everything twice, until nothing is left or in others' hands."""
    done: list[str] = []
    while not isinstance(work := next_work(store, rater.id), Nothing):
        sent = vote(work)
        first, second = submit(store, rater.id, sent), submit(store, rater.id, sent)
        assert first.judgment_id == second.judgment_id
        done.append(first.judgment_id)
    return done


def test_raters_who_work_at_once_lose_nothing_double_nothing_and_keep_the_overlap(
    store: Store,
) -> None:
    raters = filled(store, 12, THREADS, TaskPlan(kind="pair", overlap=3))
    done = [name for names in at_once(lambda one: judge_all(store, one), raters) for name in names]
    kept = [judgment.id for found in groups(store) for judgment in found.judgments]
    assert sorted(done) == sorted(kept)
    assert len(set(kept)) == len(kept) == 36
    with store.reading() as connection:
        counts = connection.execute(sa.select(tasks.c.votes, tasks.c.load)).all()
    assert counts == [(3, 3)] * 12


def test_the_last_places_are_leased_to_no_more_raters_than_are_wanted(store: Store) -> None:
    raters = filled(store, 2, THREADS, TaskPlan(kind="pair", overlap=2))
    found = at_once(lambda rater: next_work(store, rater.id), raters)
    given = Counter(work.task_id for work in found if not isinstance(work, Nothing))
    assert sorted(given.values()) == [2, 2]
    assert {one for one in found if isinstance(one, Nothing)} == {Nothing("wait")}


def test_tabs_that_open_at_once_get_one_assignment(store: Store) -> None:
    (ann,) = filled(store, 9, 1)
    found = at_once(lambda _: work_for(store, ann), range(THREADS))
    assert len({work.assignment for work in found}) == 1
    with store.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(assignments)) == 1


def test_one_vote_sent_by_many_at_once_is_one_vote(store: Store) -> None:
    (ann,) = filled(store, 1, 1)
    sent = vote(work_for(store, ann))
    found = at_once(lambda _: submit(store, ann.id, sent), range(THREADS))
    assert len({one.judgment_id for one in found}) == 1
    assert sum(not one.repeated for one in found) == 1
    assert sum(len(one.judgments) for one in groups(store)) == 1


def test_of_different_votes_from_many_tabs_one_is_taken(store: Store) -> None:
    (ann,) = filled(store, 1, 1)
    work = work_for(store, ann)

    def send(number: int) -> str | int:
        try:
            return submit(store, ann.id, vote(work, reason=str(number))).judgment_id
        except LabelError as error:
            return error.status

    found = at_once(send, range(THREADS))
    assert found.count(409) == THREADS - 1
    assert sum(len(one.judgments) for one in groups(store)) == 1


def test_processes_that_share_a_file_write_in_turns(tmp_path: Path) -> None:
    here, elsewhere = (Turn(tmp_path / "turns") for _ in range(2))  # as of two processes
    told: list[str] = []

    def write() -> None:
        with elsewhere:
            told.append("elsewhere")

    other = Thread(target=write)
    with here:
        other.start()
        other.join(0.3)
        told.append("here")
    other.join(30)
    with here:
        told.append("here again")
    assert told == ["here", "elsewhere", "here again"]


KILLED = """
import sys
from suffrage.label.store.database import open_store
from tests.label.store.project import filled, judge
from suffrage.label.store.contents import TaskPlan
store = open_store(sys.argv[1])
(ann,) = filled(store, 300, 1, TaskPlan(kind="pair", overlap=1))
for _ in range(300):
    print(judge(store, ann).judgment_id, flush=True)
"""


@pytest.mark.parametrize("after", [1, 40])
def test_after_a_kill_every_acknowledged_vote_is_there(address: str, after: int) -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", KILLED, address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline().strip() for _ in range(after)]
        writer.send_signal(signal.SIGKILL)
        told += [line.strip() for line in writer.stdout if line.endswith("\n")]
    assert all(told)
    store = open_store(address)
    kept = [judgment.id for found in groups(store) for judgment in found.judgments]
    assert set(told) <= set(kept)
    assert len(kept) - len(told) in (0, 1)  # one may have been stored and not told
    with store.reading() as connection:
        assert connection.scalar(sa.select(sa.func.sum(tasks.c.votes))) == len(kept)
    store.close()


def test_a_vote_is_acknowledged_only_after_the_log_reached_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path / "a.db")
    (ann,) = filled(store, 1, 1)
    sent = vote(work_for(store, ann))
    reached, disk, told = Event(), Event(), Event()

    def slow_disk(_: int) -> None:
        reached.set()
        assert disk.wait(60)

    monkeypatch.setattr(durability.os, "fsync", slow_disk)

    def send(sent: Vote) -> None:
        submit(store, ann.id, sent)
        told.set()

    sender = Thread(target=send, args=(sent,))
    sender.start()
    assert reached.wait(60)
    assert sum(len(found.judgments) for found in groups(store)) == 1  # readers see it already
    assert not told.is_set()
    disk.set()
    sender.join()
    assert told.is_set()
    store.close()


def test_who_commits_while_the_disk_is_busy_waits_for_the_next_turn_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.db-wal").write_bytes(b"")
    synced, first, go = [], Event(), Event()

    def disk(_: int) -> None:
        synced.append(len(ended))
        first.set()
        assert go.wait(60)

    monkeypatch.setattr(os, "fsync", disk)
    sync, ended = GroupSync(tmp_path / "a.db"), []

    def wait(name: int) -> None:
        sync.wait()
        ended.append(name)

    threads = [Thread(target=wait, args=(name,)) for name in range(6)]
    threads[0].start()
    assert first.wait(60)
    for thread in threads[1:]:
        thread.start()
    while len(sync._change._waiters) < 5:  # type: ignore[attr-defined]
        pass
    go.set()
    for thread in threads:
        thread.join()
    assert len(ended) == 6
    assert len(synced) == 2


def test_a_disk_that_fails_fails_the_vote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.db-wal").write_bytes(b"")
    sync = GroupSync(tmp_path / "a.db")

    def broken(_: int) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        with pytest.raises(OSError, match="disk full"):
            sync.wait()
    sync.wait()  # the next one succeeds


def test_who_must_not_stand_still_waits_for_the_disk_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.db-wal").write_bytes(b"")
    sync, synced, ended, first, go = GroupSync(tmp_path / "a.db"), [], [], Event(), Event()

    def disk(_: int) -> None:
        synced.append(len(ended))
        first.set()
        assert go.wait(60)

    async def ask(name: int) -> None:
        await sync.reached()
        ended.append(name)

    async def all_ask() -> None:
        asked = [asyncio.create_task(ask(0))]
        await asyncio.to_thread(first.wait, 60)  # the loop goes on while the disk is busy
        asked += [asyncio.create_task(ask(name)) for name in range(1, 6)]
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(*asked)

    monkeypatch.setattr(os, "fsync", disk)
    asyncio.run(all_ask())
    assert sorted(ended) == [0, 1, 2, 3, 4, 5]
    assert synced == [0, 1]  # who asked after the first had begun waited for the second


def test_a_disk_that_fails_fails_all_who_wait_and_not_those_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.db-wal").write_bytes(b"")
    sync = GroupSync(tmp_path / "a.db")

    def broken(_: int) -> None:
        raise OSError("disk full")

    async def ask() -> list[BaseException | None]:
        return await asyncio.gather(sync.reached(), sync.reached(), return_exceptions=True)

    async def broken_then_mended() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", broken)
            assert [str(found) for found in await ask()] == ["disk full"] * 2
        assert await ask() == [None, None]

    asyncio.run(broken_then_mended())


def test_waiting_later_owes_the_disk_only_what_was_to_be_safe(tmp_path: Path) -> None:
    store = open_store(tmp_path / "a.db")
    with waiting_later() as owed:
        with store.transaction(durable=False):
            pass
        assert not owed.waits
        with store.transaction():
            pass
        assert owed.waits
    store.close()
