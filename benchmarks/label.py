"""The labelling server under load: what raters wait, what is lost, and a project grown large.

    python -m benchmarks.label crowd store kill large --out build/label

crowd: 200 raters judge 20,000 items over HTTP, first 100 judgments a second in all, then as fast as
the server answers; no vote may be lost or stored twice. store: the same without HTTP and pages:
eight threads take items from the queue and then send their votes; the two are told apart. kill: the
server is killed (SIGKILL) ten times under load; every vote it acknowledged must be there. large: a
project of a million judgments; how long the next item takes, and `suffrage agree`. Server and load
share one machine. A judgment is a POST that stores it and a GET of the next item; the time of each
is told apart.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from suffrage.core.records import Completion, Group, Judgment, Prompt
from suffrage.data.read import write_groups
from suffrage.label.links import rater_token
from suffrage.label.queue import Nothing, Work, next_work
from suffrage.label.server import Settings, serve, serve_by
from suffrage.label.store.contents import TaskPlan, add_groups, add_tasks, groups
from suffrage.label.store.database import Store, open_store
from suffrage.label.store.judgments import Vote, submit
from suffrage.label.store.raters import add_rater, raters
from suffrage.label.store.schema import judgments
from suffrage.label.store.settings import secret

RATERS, RATE = 200, 100.0
UNLIMITED = 10**9


# ------------------------------------------------------------- the server


@contextmanager
def server(database: Path, workers: int) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The page in processes of its own, on a free port."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = int(chosen.getsockname()[1])
    words = [sys.executable, "-m", "benchmarks.label", "--serve", str(database), str(port)]
    words += ["--workers", str(workers)]
    process = subprocess.Popen(words, start_new_session=True)
    try:
        wait_for(port)
        yield process, port
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait()


def wait_for(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


def project(database: Path, items: int, overlap: int) -> list[str]:
    """A new project of pairs; the links' tokens of its raters."""
    for old in database.parent.glob(database.name + "*"):
        old.unlink()
    store = open_store(database)
    add_groups(store, (pair_of(number) for number in range(items)))
    add_tasks(store, TaskPlan(kind="pair", overlap=overlap))
    key, now = secret(store), store.clock()
    return [rater_token(key, add_rater(store, f"rater {i}").id, now) for i in range(RATERS)]


def pair_of(number: int) -> Group:
    name = f"p{number}"
    texts = (f"好的回答 {number}. " * 20, f"another answer {number}. " * 20)
    made = (Completion(id=f"{name}-{i}", prompt_id=name, text=t) for i, t in enumerate(texts))
    return Group(prompt=Prompt(id=name, content=f"question {number}?"), completions=tuple(made))


# ------------------------------------------------------------- raters


@dataclass
class Times:
    """Seconds of every request, and the client ids of the votes that were acknowledged."""

    posts: list[float] = field(default_factory=list)
    gets: list[float] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    refused: int = 0


class Browser:
    """One rater's connection: signs in by link, reads the item, sends a vote.

    As little as HTTP needs, for what the load takes of the machine the server lacks.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.cookie = b""

    @classmethod
    async def signed_in(cls, port: int, token: str) -> Browser:
        browser = cls(*await asyncio.open_connection("127.0.0.1", port))
        status, head, _ = await browser._ask(f"GET /join/{token}".encode())
        assert status == b"303", status
        found = re.search(rb"(?i)set-cookie: ([^;]+)", head)
        assert found is not None
        browser.cookie = b"Cookie: " + found[1] + b"\r\n"
        return browser

    async def item(self) -> tuple[bytes, bytes] | None:
        """The assignment open to the rater and the form's token; None where nothing is left."""
        status, _, page = await self._ask(b"GET /work")
        assert status == b"200", status
        action = re.search(rb'action="/work/([^"/]+)"', page)
        token = re.search(rb'name="token" value="([^"]+)"', page)
        return (action[1], token[1]) if action and token else None

    async def vote(self, assignment: bytes, token: bytes, client_id: str) -> bool:
        form = b"token=%s&client_id=%s&choice=1&seconds=3" % (token, client_id.encode())
        return (await self._ask(b"POST /work/" + assignment, form))[0] == b"200"

    async def _ask(self, what: bytes, form: bytes = b"") -> tuple[bytes, bytes, bytes]:
        about = FORM % len(form) if form else PAGE
        self.writer.write(what + b" HTTP/1.1\r\n" + self.cookie + about + form)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        body = await self.reader.readexactly(int(length[1])) if length else b""
        return head[9:12], head, body


HOST = b"Host: 127.0.0.1\r\n"
PAGE = HOST + b"Accept: text/html\r\n\r\n"
FORM = (
    HOST + b"Accept: application/json\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: %d\r\n\r\n"
)


async def work(browser: Browser, times: Times, end: float, every: float, start: float) -> None:
    """Judge until `end` or nothing is left, one item each `every` seconds."""
    due = start
    while time.perf_counter() < end:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        due += every
        began = time.perf_counter()
        found = await browser.item()
        read = time.perf_counter()
        if found is None:
            return
        client_id = secrets.token_hex(8)
        done = await browser.vote(*found, client_id)
        times.gets.append(read - began)
        times.posts.append(time.perf_counter() - read)
        if done:
            times.acknowledged.append(client_id)
        else:
            times.refused += 1


def rate_all(
    port: int,
    tokens: list[str],
    seconds: float,
    rate: float,
    begin: Callable[[], None] | None = None,
) -> tuple[Times, float]:
    """All raters at once for so long, `rate` judgments a second in all (0: no limit).

    `begin` is called when everybody is signed in.
    """
    return asyncio.run(_rate_all(port, tokens, seconds, rate, begin))


async def _rate_all(
    port: int, tokens: list[str], seconds: float, rate: float, begin: Callable[[], None] | None
) -> tuple[Times, float]:
    browsers = [await Browser.signed_in(port, token) for token in tokens]
    if begin is not None:
        begin()
    every = len(browsers) / rate if rate else 0.0
    began, times = time.perf_counter(), Times()
    starts = (began + every * i / len(browsers) for i in range(len(browsers)))
    await asyncio.gather(
        *(
            survive(browser, times, began + seconds, every, start)
            for browser, start in zip(browsers, starts, strict=True)
        )
    )
    for browser in browsers:
        browser.writer.close()
    return times, time.perf_counter() - began


async def survive(browser: Browser, times: Times, end: float, every: float, start: float) -> None:
    try:
        await work(browser, times, end, every, start)
    except (OSError, asyncio.IncompleteReadError):
        return  # the server was killed


# ------------------------------------------------------------- what is measured


def crowd(out: Path, seconds: float, items: int, workers: int) -> None:
    database = out / "crowd.db"
    tokens = project(database, items, overlap=1)
    with server(database, workers) as (process, port):
        began = cpu_seconds(process)
        calm, took = rate_all(port, tokens, seconds, RATE)
        told(f"at 100 judgments a second, {len(calm.acknowledged) / took:.0f} done", calm)
        flat, took = rate_all(port, tokens, 3600, 0)
        told(f"flat out: {len(flat.acknowledged) / took:.0f} judgments a second", flat)
        each = (cpu_seconds(process) - began) / len(calm.acknowledged + flat.acknowledged)
        print(f"the server took {1000 * each:.1f} ms of a processor for a judgment and its page")
    kept = stored(open_store(database))
    acknowledged = calm.acknowledged + flat.acknowledged
    print(
        f"{len(acknowledged)} judgments acknowledged, {len(kept)} stored, "
        f"{len(set(acknowledged) - set(kept))} lost, {len(kept) - len(set(kept))} twice, "
        f"{calm.refused + flat.refused} refused"
    )


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """What a process and its workers used of the processors, whatever else runs beside them."""
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    ticks = 0
    for pid in (process.pid, *workers):
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(words[11]) + int(words[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def told(what: str, times: Times) -> None:
    for name, values in (("vote", times.posts), ("next item", times.gets)):
        cut = statistics.quantiles(values, n=100)
        print(
            f"{what}: {name}: median {1000 * cut[49]:.0f} ms, 99 % under {1000 * cut[98]:.0f} ms",
            flush=True,
        )


def stored(store: Store) -> list[str]:
    with store.reading() as connection:
        return list(connection.scalars(sa.select(judgments.c.client_id)))


def write(out: Path, items: int) -> None:
    database = out / "store.db"
    project(database, items, overlap=1)
    store = open_store(database)
    people = [rater.id for rater in raters(store)]
    taking = sending = 0.0
    for _ in range(items // len(people)):
        began = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            works = list(pool.map(lambda name: next_work(store, name), people))
        taken = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda one: send(store, *one), zip(people, works, strict=True)))
        taking += taken - began
        sending += time.perf_counter() - taken
    kept = stored(store)
    print(
        f"{len(kept)} judgments, {len(kept) - len(set(kept))} twice: "
        f"{len(kept) / sending:.0f} a second stored, {len(kept) / taking:.0f} a second taken"
    )


def send(store: Store, rater: str, work: Work | Nothing) -> None:
    assert isinstance(work, Work)
    submit(store, rater, Vote(work.assignment, secrets.token_hex(8), "a", seconds=3.0))


def end(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)


def kill(out: Path, seconds: float, items: int, workers: int) -> None:
    database = out / "kill.db"
    tokens = project(database, items, overlap=1)[:40]
    acknowledged: list[str] = []
    for _ in range(10):
        with server(database, workers) as (process, port):
            times, _ = rate_all(
                port, tokens, 3600, 0, threading.Timer(seconds, end, (process,)).start
            )
            process.wait()
            acknowledged += times.acknowledged
    kept = stored(open_store(database))
    print(
        f"killed ten times: {len(acknowledged)} votes acknowledged, "
        f"{len(set(acknowledged) - set(kept))} lost, {len(kept) - len(set(kept))} stored twice"
    )


def large(out: Path, prompts: int, each: int, workers: int) -> None:
    database = out / "large.db"
    tokens = project(database, 100, overlap=3)
    store = open_store(database)
    began, used = time.perf_counter(), time.process_time()
    add_groups(store, (judged(number, each) for number in range(prompts)))
    add_tasks(store, TaskPlan(kind="pair", overlap=each + 1))
    told_time(f"{prompts * each} judgments brought in", began, time.process_time() - used)
    with server(database, workers) as (_, port):
        times, _ = rate_all(port, tokens[:4], 10, 20)
        told("with them there, 20 judgments a second", times)
    began, used = time.perf_counter(), time.process_time()
    write_groups(out / "large.jsonl", groups(store))
    told_time("written as groups", began, time.process_time() - used)
    began, before = time.perf_counter(), os.times()
    subprocess.run(
        [sys.executable, "-m", "suffrage", "agree", str(out / "large.jsonl")],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = os.times()
    used = sum(after[2:4]) - sum(before[2:4])  # of processes that this one started
    told_time("suffrage agree", began, used)


def told_time(what: str, began: float, used: float) -> None:
    print(f"{what}: {time.perf_counter() - began:.0f} s, {used:.0f} s of a processor", flush=True)


def judged(number: int, each: int) -> Group:
    """A pair with `each` votes by as many of 200 raters, two in three for the first."""
    pair = pair_of(1000 + number)
    name, ids = pair.prompt.id, tuple(completion.id for completion in pair.completions)
    votes = tuple(
        Judgment(
            id=f"{name}-{i}",
            prompt_id=name,
            rater=f"rater {(number * 7 + i) % RATERS}",
            kind="pair",
            completions=ids,
            shown=ids,
            value="b" if (number * 31 + i * 17) % 3 == 0 else "a",
        )
        for i in range(each)
    )
    return pair.model_copy(update={"judgments": votes})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", help="crowd, store, kill, large")
    parser.add_argument("--out", type=Path, default=Path("build/label"))
    parser.add_argument("--seconds", type=float, default=60.0, help="of the calm part of crowd")
    parser.add_argument("--items", type=int, default=20_000, help="of crowd, store and kill")
    parser.add_argument("--prompts", type=int, default=50_000, help="of large")
    parser.add_argument("--each", type=int, default=20, help="votes a prompt of large")
    parser.add_argument("--workers", type=int, default=1, help="processes that serve")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        settings = Settings(requests_per_second=UNLIMITED, burst=UNLIMITED)
        if args.workers > 1:
            serve_by(args.workers, args.serve[0], port=int(args.serve[1]), settings=settings)
            return
        with suppress(KeyboardInterrupt):
            serve(open_store(args.serve[0]), port=int(args.serve[1]), settings=settings)
        return
    shutil.rmtree(args.out, ignore_errors=True)
    args.out.mkdir(parents=True)
    if "crowd" in args.what:
        crowd(args.out, args.seconds, args.items, args.workers)
    if "store" in args.what:
        write(args.out, args.items)
    if "kill" in args.what:
        kill(args.out, 3.0, args.items, args.workers)
    if "large" in args.what:
        large(args.out, args.prompts, args.each, args.workers)


if __name__ == "__main__":
    main()
