"""What must be refused: with the right status, logged, and nothing changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from project_fixture import NOW, QUICK, SECRET, Person, Project, group

from suffrage.label import links
from suffrage.label.server import Settings
from suffrage.label.server.app import POSTED, SHOWN
from suffrage.label.server.security import POLICY, Limiter
from suffrage.label.server.session import COOKIE, Session, read_session
from suffrage.label.store.contents import groups
from suffrage.label.store.events import events
from suffrage.label.store.raters import add_rater, withdraw


def votes(project: Project) -> int:
    return sum(len(one.judgments) for one in groups(project.store))


def refusals(project: Project) -> list[int]:
    return [one.body["status"] for one in events(project.store) if one.kind == "refused"]


@pytest.fixture
def mei(project: Project) -> Person:
    project.add("pair", group("p", "x", "y"), group("q", "x", "y"))
    person = project.join()
    person.open()
    return person


def test_a_forged_link_is_not_found_and_logged(project: Project) -> None:
    answer = project.client().get("/join/" + links.rater_token("other", "r", NOW))
    assert answer.status_code == 404
    assert refusals(project) == [404]


def test_the_log_holds_no_link(project: Project) -> None:
    token = links.rater_token(SECRET, "nobody", NOW)
    assert project.client().get(f"/join/{token}").status_code == 404
    assert token not in str([one.body for one in events(project.store)])


def test_an_expired_link_is_gone(project: Project) -> None:
    rater = add_rater(project.store, "Mei")
    token = links.rater_token(SECRET, rater.id, project.clock(), days=2)
    project.clock.passes(days=2)
    assert project.client().get(f"/join/{token}").status_code == 410
    assert refusals(project) == [410]


def test_the_link_of_somebody_else_is_refused_while_signed_in(
    project: Project, mei: Person
) -> None:
    other = add_rater(project.store, "Tom")
    answer = mei.client.get("/join/" + links.rater_token(SECRET, other.id, project.clock()))
    assert answer.status_code == 409
    assert "signed in as Mei" in answer.text
    assert "Tom" not in answer.text
    assert refusals(project) == [409]
    assert "0 of 2 done" in mei.open()


def test_the_link_of_one_who_withdrew_is_gone(project: Project) -> None:
    rater = add_rater(project.store, "Mei")
    withdraw(project.store, rater.id)
    token = links.rater_token(SECRET, rater.id, project.clock())
    assert project.client().get(f"/join/{token}").status_code == 410


def test_a_session_ends_with_its_link(project: Project) -> None:
    project.add("pair", group("p", "x", "y"))
    rater = add_rater(project.store, "Mei")
    client = project.client()
    client.get("/join/" + links.rater_token(SECRET, rater.id, project.clock(), days=1))
    assert client.get("/work").status_code == 200
    project.clock.passes(days=1)
    assert client.get("/work").headers["location"] == "/?note=ended"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(project: Project) -> None:
    rater = add_rater(project.store, "Mei")
    token = links.rater_token(SECRET, rater.id, project.clock())
    cookie = project.client().get(f"/join/{token}").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie


def test_a_session_planted_before_the_link_is_replaced(project: Project) -> None:
    client = project.client()
    client.get("/")
    planted = client.cookies[COOKIE]
    rater = add_rater(project.store, "Mei")
    client.get("/join/" + links.rater_token(SECRET, rater.id, project.clock()))
    assert client.cookies[COOKIE] != planted
    number = [session_number(project, value) for value in (planted, client.cookies[COOKIE])]
    assert number[0] != number[1]


def session_number(project: Project, cookie: str) -> str:
    from starlette.requests import Request

    headers = [(b"cookie", f"{COOKIE}={cookie}".encode())]
    request = Request({"type": "http", "headers": headers})
    session: Session = read_session(request, SECRET, project.clock())
    return session.number


@pytest.mark.parametrize("cookie", ["x", "e30.x", "a" * 3000, "\x80"])
def test_a_forged_cookie_is_nobody(project: Project, cookie: str) -> None:
    client = project.client()
    answer = client.get("/account", headers={"cookie": f"{COOKIE}={cookie}".encode("latin-1")})
    assert answer.status_code == 401


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
def test_a_form_without_the_sessions_token_is_refused(
    project: Project, mei: Person, token: str
) -> None:
    form = mei.form(choice="1") | {"token": token}
    assert mei.client.post(f"/work/{mei.assignment}", data=form).status_code == 403
    assert refusals(project) == [403]
    assert votes(project) == 0


def test_a_token_of_another_session_is_refused(project: Project, mei: Person) -> None:
    tom = project.join("Tom")
    tom.open()
    form = mei.form(choice="1") | {"token": tom.token}
    assert mei.client.post(f"/work/{mei.assignment}", data=form).status_code == 403
    assert votes(project) == 0


def test_a_form_from_another_site_is_refused(project: Project, mei: Person) -> None:
    mei.client.headers["sec-fetch-site"] = "cross-site"
    assert mei.vote(choice="1").status_code == 403
    assert votes(project) == 0


@pytest.mark.parametrize("path", POSTED)
def test_every_form_needs_a_token(project: Project, mei: Person, path: str) -> None:
    filled = path.replace("{assignment}", mei.assignment)
    before = len(list(events(project.store)))
    assert mei.client.post(filled, data={"agree": "1", "to": "zh"}).status_code == 403
    assert [one.kind for one in events(project.store, before)] == ["refused"]


@pytest.mark.parametrize("end", ["", "/draft", "/skip"])
def test_another_raters_item_cannot_be_told_from_none(
    project: Project, mei: Person, end: str
) -> None:
    tom = project.join("Tom")
    tom.open()
    fields = tom.form(choice="1", why="other")
    theirs = tom.client.post(f"/work/{mei.assignment}{end}", data=fields)
    nobodys = tom.client.post(f"/work/{'A' * 22}{end}", data=fields)
    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    assert theirs.text.replace(mei.assignment, "A" * 22) == nobodys.text
    assert refusals(project) == [404, 404]
    assert votes(project) == 0


@pytest.mark.parametrize("name", ["%00", "..%2f..%2fetc", "'; DROP TABLE raters; --", "a" * 500])
def test_ids_of_another_shape_reach_no_database(project: Project, mei: Person, name: str) -> None:
    assert mei.client.post(f"/work/{name}", data=mei.form(choice="1")).status_code == 404
    assert votes(project) == 0


def test_a_body_that_is_too_large_is_refused(project: Project, mei: Person) -> None:
    form = mei.form(choice="1", reason="x" * (256 * 1024))
    assert mei.client.post(f"/work/{mei.assignment}", data=form).status_code == 413
    assert refusals(project) == [413]
    assert votes(project) == 0


def test_a_large_body_of_untold_length_is_refused(project: Project, mei: Person) -> None:
    def parts() -> Any:
        for _ in range(40):
            yield b"x" * 10_000

    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = mei.client.post(f"/work/{mei.assignment}", content=parts(), headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"", "", 415),
        (b"--x--", "multipart/form-data; boundary=x", 415),
        (b"\xff\xfe", "application/x-www-form-urlencoded", 400),
        (b"reason=%ff%fe", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a=1" for _ in range(100)), "application/x-www-form-urlencoded", 400),
        (b"a=1", "application/x-www-form-urlencoded; charset=utf-8", 403),
    ],
)
def test_malformed_bodies_are_refused(
    project: Project, mei: Person, body: bytes, kind: str, status: int
) -> None:
    path = f"/work/{mei.assignment}"
    answer = mei.client.post(path, content=body, headers={"content-type": kind})
    assert answer.status_code == status
    assert refusals(project) == [status]
    assert votes(project) == 0


@pytest.mark.parametrize("client_id", ["", "short", "a b c d e f", "x" * 65, "é" * 10])
def test_a_vote_without_the_id_of_its_page_is_refused(
    project: Project, mei: Person, client_id: str
) -> None:
    form = mei.form(choice="1") | {"client_id": client_id}
    assert mei.client.post(f"/work/{mei.assignment}", data=form).status_code == 400
    assert votes(project) == 0


def test_sql_in_every_field_is_only_text(project: Project, mei: Person) -> None:
    evil = "'); DROP TABLE judgments; --"
    assert mei.vote(choice="1", reason=evil, seconds=evil, strength="").status_code == 303
    [judgment] = [one for g in groups(project.store) for one in g.judgments]
    assert judgment.reason == evil


def test_a_flood_from_one_address_is_refused_and_logged_once(
    make: Callable[[Settings], Project],
) -> None:
    project = make(replace(QUICK, requests_per_second=0.001, burst=5))
    client = project.client()
    statuses = [client.get("/help").status_code for _ in range(12)]
    assert statuses == [200] * 5 + [429] * 7
    answer = client.get("/help")
    assert answer.headers["retry-after"] == "5"
    assert answer.headers["content-security-policy"] == POLICY
    assert refusals(project) == [429]


def test_a_bucket_fills_again_and_addresses_do_not_share() -> None:
    now = [0.0]
    limiter = Limiter(rate=2.0, burst=3, clock=lambda: now[0])
    assert [limiter.allows("a") for _ in range(4)] == [True, True, True, False]
    assert limiter.allows("b")
    now[0] = 1.0
    assert [limiter.allows("a") for _ in range(3)] == [True, True, False]
    now[0] = 100.0
    assert [limiter.allows("a") for _ in range(4)] == [True, True, True, False]


def test_a_flood_of_refusals_does_not_fill_the_log(project: Project, mei: Person) -> None:
    for _ in range(60):
        mei.client.post("/undo", data={})
    assert 10 < len(refusals(project)) < 40


@pytest.mark.parametrize("path", sorted(SHOWN))
def test_every_page_has_the_headers(project: Project, mei: Person, path: str) -> None:
    filled = path.replace("{assignment}", mei.assignment).replace("{token}", "x")
    answer = mei.client.get(filled.replace("{format}", "trl"))
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "unsafe" not in POLICY


def test_pages_hold_no_inline_script_or_style(project: Project, mei: Person) -> None:
    for path in ("/work", "/help", "/account", "/guidelines"):
        page = mei.open(path)
        assert "<style" not in page
        assert not re.search(r"\s(style|on\w+)=", page)
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
        assert not re.search(r'(?:src|href|action)="(?!/|#)', page)


def test_static_files_may_be_kept_and_nothing_beside_them_is_served(
    project: Project, mei: Person
) -> None:
    found = re.search(r'href="(/static/\w+)/page.css"', mei.page)
    assert found
    answer = mei.client.get(found.group(1) + "/work.js")
    assert "immutable" in answer.headers["cache-control"]
    assert "javascript" in answer.headers["content-type"]
    assert mei.client.get(found.group(1) + "/../app.py").status_code == 404
    assert mei.client.get(found.group(1) + "/%2e%2e/app.py").status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_allowed(project: Project, mei: Person, method: str) -> None:
    assert mei.client.request(method, "/work").status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/team",
        "/team/raters",
        "/team/disputes",
        "/team/skipped",
        "/team/guidelines",
        "/team/export/trl",
    ],
)
def test_raters_do_not_see_the_teams_pages(project: Project, mei: Person, path: str) -> None:
    assert mei.client.get(path).status_code == 403
    assert project.client().get(path).status_code == 401
    assert refusals(project) == [403, 401]


def test_raters_do_not_write_guidelines(project: Project, mei: Person) -> None:
    assert mei.post("/team/guidelines", text="Mine", base="0").status_code == 403
    assert "Mine" not in mei.open("/guidelines")


HOSTILE = [
    "<script>alert(1)</script>",
    "</div></main><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }} {% raw %}",
    "[a](javascript:alert(1))\n\n![x](https://evil.example/p.png)",
    "\u202eevil\u2066 \x00\x1b[31m\ud800",
    "x" * 1_000_000,
    "👩‍👩‍👧 " * 100,
    "*" * 5000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_answers_are_shown_inert(project: Project, text: str) -> None:
    storable = text.replace("\ud800", "")
    project.add("pair", group("p", storable, "calm", prompt=storable))
    page = project.join().open()
    assert "<script>alert" not in page
    assert "<img" not in page
    assert 'href="javascript' not in page
    assert "49 " not in page
    assert not re.search("[\u202e\u2066\x00\x1b]", page)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from([*POSTED, *SHOWN]),
    name=st.text(max_size=12),
    fields=st.dictionaries(
        st.sampled_from(["choice", "client_id", "place-1", "reason", "why", "to", "text", "base"]),
        st.text(max_size=20),
        max_size=4,
    ),
    post=st.booleans(),
)
def test_no_request_breaks_the_server(
    project: Project, path: str, name: str, fields: dict[str, str], post: bool
) -> None:
    from urllib.parse import quote

    person = project.team()
    person.open("/help")
    filled = re.sub(r"{\w+}", quote(name, safe=""), path)
    method = "POST" if post else "GET"
    data = {"token": person.token, **fields} if post else None
    answer = person.client.request(method, filled, data=data)
    assert answer.status_code < 500
