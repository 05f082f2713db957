"""Every route of the app meets requests by chance: none breaks it, none changes what it may not.

The routes are the app's own, so a new one is tried as soon as it is there. Requests go to the app
as a server would pass them on, without a client that keeps them in form.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from project_fixture import QUICK, SECRET, Clock, Project, group
from starlette.responses import Response
from starlette.routing import Mount, Route

from suffrage.label.formats import FORMATS
from suffrage.label.queue import Work, next_work
from suffrage.label.server import create_app
from suffrage.label.server.session import COOKIE, Session, keep_session
from suffrage.label.store import schema
from suffrage.label.store.database import open_store
from suffrage.label.store.guidelines import guidelines
from suffrage.label.store.raters import add_rater

FORM = "application/x-www-form-urlencoded"
WHO = ("nobody", "rater", "team", "both", "both")
TABLES = (
    "settings",
    "guidelines",
    "raters",
    "tasks",
    "assignments",
    "judgments",
    "skips",
    "drafts",
)
OF_TEAM = ("settings", "guidelines")  # what the team alone may change
EXAMPLES = {"GET": 8, "HEAD": 3, "POST": 40}
SEEN: set[str] = set()
_numbers = count()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    clock = Clock()
    store = open_store(tmp_path_factory.mktemp("fuzz") / "project.db", clock=clock)
    made = Project(store, clock, create_app(store, QUICK))
    texts = ("x <b>", "*y*\x00")
    made.add("pair", group("p", *texts, expected={"p-gpt0": 1, "p-gpt1": 2}), overlap=10**6)
    made.add("ranking", group("q", *texts), criterion="honest", overlap=10**6)
    yield made
    store.close()


def routes() -> list[tuple[str, str]]:
    """Every path and method of the app; of what is mounted, any path below it."""
    app = create_app(open_store(":memory:"), QUICK)
    found = []
    for route in app.routes:
        assert isinstance(route, Route | Mount), route
        if isinstance(route, Route):
            found += [(method, route.path) for method in sorted(route.methods or ())]
        else:
            found.append(("GET", route.path + "/{file}"))
    return found


@dataclass(frozen=True)
class Asked:
    """A request but for its path."""

    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes


# ------------------------------------------------------------- what is sent

ODD = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", "0", "1", "tie", "nan", "-1e999", "⁵", "\x00", "../", "x" * 99]),
)
FIELDS = [
    *("choice", "strength", "place-1", "place-2", "confirmed", "answer", "reason", "seconds"),
    *("opened", "client_id", "agree", "why", "more", "to", "back", "text", "base"),
]
LATIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"))
GOOD = {
    "client_id": "client-id-1",
    "choice": "1",
    "place-1": "2",
    "place-2": "1",
    "why": "other",
    "agree": "1",
    "text": "Read all.",
    "base": "0",
    "to": "zh",
}
FILLED = st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=2).map(lambda odd: {**GOOD, **odd})
NAMES = [
    *("accept", "accept-language", "content-length", "host", "origin", "range", "if-none-match"),
    *("sec-fetch-site", "x-forwarded-for", "x-forwarded-proto"),
]
HEADERS = st.dictionaries(
    st.sampled_from(NAMES),
    st.one_of(LATIN, st.sampled_from(["application/json", "cross-site", "zh", "9" * 30, "²"])),
    max_size=3,
)
QUERY = st.one_of(
    st.dictionaries(st.sampled_from(["note", "raw", "width", "pseudonyms", "?"]), ODD).map(
        urlencode
    ),
    LATIN,
)
BODIES = st.one_of(
    st.tuples(st.just(FORM), st.dictionaries(st.sampled_from(FIELDS), ODD).map(urlencode)),
    st.tuples(st.just(FORM), st.sampled_from(["a=%ff", "&" * 99, "=&=", "reason=%ed%a0%80", "%"])),
    st.tuples(st.just("application/json"), st.sampled_from(["{}", "[[", '{"choice": "1"}'])),
    st.tuples(st.just("multipart/form-data; boundary=x"), st.just("--x\r\n\r\n1\r\n--x--")),
    st.tuples(LATIN, LATIN),
)


def request(path: str, sent: dict[str, Any], token: str, cookie: str) -> Asked:
    kind, body = sent["body"] if sent["form"] is None else (FORM, urlencode(sent["form"]))
    if sent["token"] == "right":
        body = f"{body}&token={token}"
    elif sent["token"] == "wrong":
        body = f"{body}&token={'0' * 64}"
    headers = {"content-type": kind, **sent["headers"], "cookie": cookie + sent["crumbs"]}
    coded = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    return Asked(sent["query"].encode("latin-1"), coded, body.encode("latin-1", "replace"))


SENT = st.fixed_dictionaries(
    {
        "who": st.sampled_from(WHO),
        "token": st.sampled_from(["right", "right", "right", "wrong", "none"]),
        "form": st.one_of(st.none(), FILLED, FILLED),
        "body": BODIES,
        "headers": st.one_of(st.just({}), HEADERS),
        "crumbs": st.sampled_from(["", "", "; suffrage_language=zh", "; =;;\x80", "; a=\x01"]),
        "query": QUERY,
        "odd": ODD,
        "own": st.sampled_from(["own", "own", "own", "other", "odd"]),
    }
)


# ------------------------------------------------------------- whom it comes from


def signed_in(project: Project, who: str) -> tuple[Session, str]:
    """A session and the assignment it may judge; each rater is new, for some withdraw."""
    assignment, rater = "none", None
    if who in ("rater", "both"):
        rater = add_rater(project.store, f"rater {next(_numbers)}").id
        work = next_work(project.store, rater)
        assert isinstance(work, Work)
        assignment = work.assignment
    until = int(project.clock().timestamp()) + 1000
    return Session("0" * 32, rater, who in ("team", "both"), until), assignment


def cookie_of(session: Session) -> str:
    kept = Response()
    keep_session(kept, session, SECRET, secure=False)
    found = re.match(rf"{COOKIE}=[^;]+", kept.headers["set-cookie"])
    assert found
    return found.group()


def ask(project: Project, method: str, path: str, asked: Asked) -> int:
    """The status of the answer; what a handler raises is raised here."""
    status: list[int] = []
    body = [{"type": "http.request", "body": asked.body}, {"type": "http.disconnect"}]

    async def receive() -> dict[str, Any]:
        return body.pop(0) if len(body) > 1 else body[0]

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            status.append(message["status"])

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": quote(path).encode(),
        "root_path": "",
        "query_string": asked.query,
        "headers": asked.headers,
        "client": ("192.0.2.1", 5),
        "server": ("127.0.0.1", 80),
    }
    asyncio.run(project.app(scope, receive, send))
    return status[0]


def stored(project: Project) -> dict[str, list[Any]]:
    """Everything but the log, which refusals are written to."""
    with project.store.reading() as connection:
        return {
            name: [
                tuple(row) for row in connection.execute(sa.select(schema.metadata.tables[name]))
            ]
            for name in TABLES
        }


@pytest.mark.parametrize(("method", "path"), routes())
def test_no_request_breaks_a_route_or_changes_what_it_may_not(
    project: Project, method: str, path: str
) -> None:
    @settings(
        max_examples=EXAMPLES[method],
        deadline=None,
        database=None,
        phases=[Phase.generate],  # the first that fails tells enough
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(sent=SENT)
    def fuzz(sent: dict[str, Any]) -> None:
        session, own = signed_in(project, sent["who"])
        named = {"own": own, "other": signed_in(project, "rater")[1], "odd": sent["odd"]}
        good = named[sent["own"]]
        if sent["own"] == "own" and "{format}" in path:
            good = sorted(FORMATS)[len(sent["odd"]) % len(FORMATS)]
        filled = re.sub(r"{\w+}", lambda _: good, path)
        cookie = "x=1" if sent["who"] == "nobody" else cookie_of(session)
        if sent["form"] is not None and path == "/team/guidelines":  # else none is new after one
            now = guidelines(project.store).version
            sent["form"] |= {"base": str(now), "text": f"Read {next(_numbers)} {sent['odd']}"}
        before = stored(project)
        status = ask(project, method, filled, request(path, sent, session.token(SECRET), cookie))
        assert status < 500
        after = stored(project)
        changed = {name for name in TABLES if before[name] != after[name]}
        assert changed <= allowed(method, path, sent), (status, changed)
        SEEN.add(f"{method} {path} {'changed' if changed else status}")

    fuzz()


def allowed(method: str, path: str, sent: dict[str, Any]) -> set[str]:
    """What may change: nothing by who has no session or no token of it, and by a GET a lease."""
    if sent["who"] == "nobody":
        return set()
    if method != "POST":
        leases = {"assignments", "tasks"}
        return leases if path == "/work" and sent["who"] in ("rater", "both") else set()
    if sent["token"] != "right":
        return set()
    if path.startswith("/team"):
        return set(OF_TEAM) if sent["who"] in ("team", "both") else set()
    return set() if sent["who"] == "team" else set(TABLES) - set(OF_TEAM)


def test_chance_reached_what_the_routes_are_for() -> None:
    """Else the test above would hold for an app that refuses everything."""
    if len({seen.split()[1] for seen in SEEN}) < len({path for _, path in routes()}):
        pytest.skip("the test above did not run as a whole")
    changing = ["/consent", "/withdraw", "/work/{assignment}", "/team/guidelines"]
    changing += ["/work/{assignment}/draft", "/work/{assignment}/skip"]
    assert {path for path in changing if f"POST {path} changed" not in SEEN} == set()
    assert {path for _, path in routes() if f"GET {path} 200" in SEEN} >= {
        "/work",
        "/team",
        "/help",
    }
