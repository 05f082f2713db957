"""The judging page in a real browser: by keyboard, over bad lines, on a phone, for everybody."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from project_fixture import QUICK, SECRET, Project, group

from suffrage.core.records import Judgment, Message
from suffrage.label import links
from suffrage.label.queue import Work, next_work
from suffrage.label.server import create_app
from suffrage.label.store.contents import groups
from suffrage.label.store.database import Store, utc_now
from suffrage.label.store.guidelines import write_guidelines
from suffrage.label.store.judgments import skip
from suffrage.label.store.raters import add_rater

pytestmark = pytest.mark.browser
EVIL = (
    "<script>document.title='evil'</script> **bold** ![p](https://evil.example/p.png) "
    "[link](https://evil.example) \u202egnidaer \x07 <img src=x onerror=alert(1)>"
)


class Site:
    """A project served on a free port of this machine, and people's browsers."""

    def __init__(self, project: Project, browser: Any) -> None:
        self.project, self.browser = project, browser
        self.contexts: list[Any] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        config = uvicorn.Config(
            self.project.app, host="127.0.0.1", port=self.port, log_level="error", ws="none"
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        self.server.should_exit = self.server.force_exit = True
        self.thread.join()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self, name: str = "Mei", **options: Any) -> Any:
        """A page signed in; what it complains of is kept in `heard`."""
        context = self.browser.new_context(**{"locale": "en-GB", **options})
        self.contexts.append(context)
        page = context.new_page()
        page.heard = []
        page.on("console", lambda message: page.heard.append(message.text))
        page.on("pageerror", lambda error: page.heard.append(str(error)))
        rater = add_rater(self.project.store, name)
        page.goto(links.link(self.address, links.rater_token(SECRET, rater.id, utc_now())))
        return page

    def said(self) -> list[Judgment]:
        return [judgment for one in groups(self.project.store) for judgment in one.judgments]

    def wait_for(self, votes: int) -> list[Judgment]:
        """The judgments once there are so many; a browser does not say when it has sent."""
        for _ in range(500):
            if len(self.said()) >= votes:
                break
            time.sleep(0.02)
        return self.said()


@pytest.fixture
def site(store: Store, browser: Any) -> Iterator[Site]:
    real = Store(store.engine, utc_now)
    project = Project(real, utc_now, create_app(real, QUICK))  # type: ignore[arg-type]
    opened = Site(project, browser)
    yield opened
    for context in opened.contexts:
        context.close()
    opened.stop()


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def done(page: Any, text: str) -> None:
    page.get_by_text(text).first.wait_for()


@pytest.mark.parametrize(
    ("kind", "texts", "keys", "value"),
    [
        ("pair", 2, "b4", "b"),
        ("pair", 2, "t", "tie"),
        ("rating", 1, "6", 6),
        ("grade", 1, "c", "C"),
        ("thumb", 1, "2", "down"),
    ],
)
def test_each_kind_is_judged_by_its_keys(
    site: Site, kind: str, texts: int, keys: str, value: object
) -> None:
    site.project.add(kind, group("p", *("words",) * texts))
    page = site.open()
    press(page, *keys, "Enter")
    done(page, "All done")
    [judgment] = site.said()
    assert judgment.value == value
    assert judgment.strength == (4 if "4" in keys else None)
    assert page.heard == []


def test_a_ranking_by_keys_is_in_the_order_pressed(site: Site) -> None:
    site.project.add("ranking", group("p", "w", "x", "y", "z"))
    page = site.open()
    press(page, "3", "1", "4")  # the last place follows
    assert page.locator("#order > li").evaluate_all("all => all.map(i => i.dataset.item)") == [
        *"3142"
    ]
    press(page, "Enter")
    done(page, "All done")
    [judgment] = site.said()
    assert judgment.value == tuple((judgment.shown[place],) for place in (2, 0, 3, 1))


def test_an_untouched_ranking_is_asked_about(site: Site) -> None:
    site.project.add("ranking", group("p", "w", "x", "y"))
    page = site.open()
    press(page, "Enter")
    done(page, "Is it really your order?")
    assert site.said() == []
    press(page, "Enter")  # the focus is on the answer yes
    done(page, "All done")
    [judgment] = site.said()
    assert judgment.value == tuple((name,) for name in judgment.shown)


def test_a_ranking_by_buttons_with_a_tie(site: Site) -> None:
    site.project.add("ranking", group("p", "w", "x", "y"))
    page = site.open()
    page.get_by_label("Move answer 3 up").click()
    page.get_by_label("Answer 3 ties with the one above").click()
    assert page.locator("#status").inner_text() == "Answer 3: place 1 of 3"
    page.get_by_role("button", name="Submit").click()
    done(page, "All done")
    [judgment] = site.said()
    one, two, three = judgment.shown
    assert [set(tied) for tied in judgment.value] == [{one, three}, {two}]  # type: ignore[union-attr]


def test_a_ranking_by_dragging(site: Site) -> None:
    site.project.add("ranking", group("p", "w", "x", "y"))
    page = site.open()
    handle = page.locator('li[data-item="3"] .handle').bounding_box()
    first = page.locator('li[data-item="1"]').bounding_box()
    page.mouse.move(handle["x"] + 5, handle["y"] + 5)
    page.mouse.down()
    page.mouse.move(handle["x"] + 5, first["y"] + 2, steps=8)
    page.mouse.up()
    places = page.locator("#order select").evaluate_all("all => all.map(s => [s.name, s.value])")
    assert places == [["place-3", "1"], ["place-1", "2"], ["place-2", "3"]]


def test_keys_are_letters_while_somebody_types(site: Site) -> None:
    site.project.add("pair", group("p", "x", "y"))
    page = site.open()
    press(page, "a", "r")
    page.keyboard.type("but b? S")
    press(page, "Enter")
    page.keyboard.type("u")
    assert page.locator("#reason").input_value() == "but b? S\nu"
    assert page.locator('[name="choice"]:checked').get_attribute("value") == "1"
    press(page, "Control+Enter")
    done(page, "All done")
    assert site.said()[0].reason == "but b? S\nu"


@pytest.mark.parametrize("how", [{"isComposing": True}, {"keyCode": 229}])
def test_keys_of_an_input_method_are_not_ours(site: Site, how: dict[str, object]) -> None:
    site.project.add("pair", group("p", "x", "y"))
    page = site.open()
    for key in ("a", "s", "Enter"):
        page.evaluate(
            "([key, how]) => document.body.dispatchEvent(new KeyboardEvent('keydown', "
            "{key, bubbles: true, cancelable: true, ...how}))",
            [key, how],
        )
    assert page.locator('[name="choice"]:checked').count() == 0
    assert page.locator("#problem").inner_text().strip() == ""
    page.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'a', bubbles: true}))"
    )
    assert page.locator('[name="choice"]:checked').count() == 1


def test_shortcuts_can_be_switched_off(site: Site) -> None:
    site.project.add("pair", group("p", "x", "y"))
    page = site.open()
    press(page, "?")
    page.get_by_label("Use these keys").uncheck()
    press(page, "Escape", "a")
    assert page.locator('[name="choice"]:checked').count() == 0
    page.reload()
    press(page, "a")
    assert page.locator('[name="choice"]:checked').count() == 0


def test_undo_skip_guidelines_and_help_by_keys(site: Site) -> None:
    write_guidelines(site.project.store, "Be fair.", "team")
    site.project.add("pair", group("p", "x", "y"), group("q", "x", "y"))
    page = site.open()
    press(page, "g")
    assert page.get_by_text("Be fair.").is_visible()
    press(page, "Escape", "a", "Enter")
    done(page, "1 of 2 done")
    press(page, "u")
    done(page, "This is your last vote")
    assert page.locator('[name="choice"]:checked').get_attribute("value") == "1"
    press(page, "b", "Enter")
    page.get_by_text("This is your last vote").wait_for(state="detached")
    press(page, "s")
    page.keyboard.press("ArrowDown")
    press(page, "Enter")
    done(page, "Skipped")
    assert [judgment.value for judgment in site.said()] == ["b"]
    assert page.heard == []


def test_an_impatient_double_click_is_one_vote(site: Site) -> None:
    site.project.add("pair", group("p", "x", "y"), group("q", "x", "y"))
    page = site.open()
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.url) if one.method == "POST" else None)
    press(page, "a")
    page.evaluate("() => { const b = document.getElementById('submit'); b.click(); b.click(); }")
    done(page, "1 of 2 done")
    assert len(site.said()) == 1
    assert len([url for url in sent if not url.endswith("/draft")]) == 1


def test_a_vote_survives_a_lost_connection(site: Site) -> None:
    site.project.add("pair", group("p", "x", "y"), group("q", "x", "y"))
    page = site.open()
    press(page, "b")
    page.context.set_offline(True)
    press(page, "Enter")
    done(page, "Your vote is kept in this browser")
    assert site.said() == []
    page.context.set_offline(False)
    done(page, "1 of 2 done")
    assert [judgment.value for judgment in site.said()] == ["b"]


def test_an_answer_lost_on_its_way_back_is_one_vote(site: Site) -> None:
    """The server has the vote and the browser does not know: it sends it again."""
    site.project.add("pair", group("p", "x", "y"), group("q", "x", "y"))
    page = site.open()
    lost = []

    def lose(route: Any) -> None:
        if route.request.method == "POST" and not lost and "draft" not in route.request.url:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    page.route("**/work/*", lose)
    press(page, "b", "Enter")
    done(page, "1 of 2 done")
    assert lost == [200]
    assert [judgment.value for judgment in site.said()] == ["b"]


def test_a_kept_vote_is_sent_when_the_page_is_opened_again(site: Site) -> None:
    site.project.add("pair", group("p", "x", "y"), group("q", "x", "y"))
    page = site.open()
    page.route("**/work/*", lambda route: route.abort())
    press(page, "b", "Enter")
    done(page, "Your vote is kept in this browser")
    page.unroute("**/work/*")
    page.goto(site.address + "/work")
    done(page, "Your kept vote was sent.")
    assert [judgment.value for judgment in site.said()] == ["b"]


def test_two_tabs_and_the_back_button(site: Site) -> None:
    site.project.add("pair", *(group(f"p{i}", "x", "y") for i in range(3)))
    page = site.open()
    other = page.context.new_page()
    other.goto(site.address + "/work")
    press(page, "a", "Enter")
    done(page, "1 of 3 done")
    press(other, "b", "Enter")
    done(other, "already judged in another window")
    assert [judgment.value for judgment in site.said()] == ["a"]
    page.goto(site.address + "/help")
    page.go_back()
    done(page, "1 of 3 done")
    press(page, "b", "Enter")
    done(page, "2 of 3 done")
    assert len(site.said()) == 2


def test_a_draft_is_there_after_a_reload(site: Site) -> None:
    site.project.add("demonstration", group("p"))
    page = site.open()
    page.get_by_label("Your answer").fill("Half an answer")
    done(page, "Draft saved")
    page.reload()
    assert page.get_by_label("Your answer").input_value() == "Half an answer"


HIDE = """hidden => {
  const state = {configurable: true, get: () => hidden ? 'hidden' : 'visible'};
  Object.defineProperty(document, 'visibilityState', state);
  document.dispatchEvent(new Event('visibilitychange'));
}"""


def test_time_stands_still_while_hidden_or_idle(site: Site) -> None:
    site.project.add("pair", group("p", "x", "y"))
    page = site.open()
    page.clock.install()
    page.reload()

    def seconds() -> float:
        page.clock.run_for(1000)
        return float(page.locator('[name="seconds"]').input_value())

    page.clock.run_for(10_000)
    assert seconds() == pytest.approx(11, abs=1)
    page.evaluate(HIDE, True)
    page.clock.run_for(30_000)
    page.evaluate(HIDE, False)
    assert seconds() == pytest.approx(12, abs=1)
    page.clock.run_for(300_000)  # nobody there: a minute after the last touch it stops
    idle = seconds()
    assert idle == pytest.approx(32, abs=3)
    page.mouse.move(50, 50)
    page.clock.run_for(5_000)
    assert seconds() == pytest.approx(idle + 6, abs=1)


def test_hostile_answers_do_nothing(site: Site) -> None:
    site.project.add("pair", group("p", EVIL, "x" * 300_000, prompt=EVIL))
    page = site.open()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    press(page, "m")
    assert [url for url in asked if not url.startswith(site.address)] == []
    assert "evil" not in page.title()
    assert page.locator("main a[href*=evil], main img, main script").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert page.heard == []


def test_long_texts_fold_and_markdown_can_be_seen_raw(site: Site) -> None:
    site.project.add("pair", group("p", "word " * 3000, "**bold**"))
    page = site.open()
    button = page.get_by_role("button", name="Show all (15,000 characters)")
    assert button.get_attribute("aria-expanded") == "false"
    press(page, "e")
    assert page.get_by_role("button", name="Show less").get_attribute("aria-expanded") == "true"
    assert not page.get_by_text("**bold**").is_visible()
    press(page, "m")
    assert page.get_by_text("**bold**").is_visible()


TARGETS = """() => [...document.querySelectorAll(
    'main button, main .choice, main select, main summary, header a, header button')]
  .filter(node => node.checkVisibility() && !node.closest('dialog'))
  .map(node => [node.textContent.trim().slice(0, 30), node.getBoundingClientRect()])
  .filter(([, box]) => box.width < 24 || box.height < 24).map(([name]) => name)"""
CONVERSATION = (
    Message(role="system", content="Be kind."),
    Message(role="user", content="**Hello** there"),
    Message(role="assistant", content="Hi"),
    Message(role="user", content="And now?"),
)
COUNTS = {"pair": 2, "ranking": 3, "rating": 1, "grade": 1, "thumb": 1, "demonstration": 0}


@pytest.mark.parametrize(
    ("kind", "locale"),
    list(zip(COUNTS, 3 * ["en-GB", "zh-TW"], strict=True)),
    ids=list(COUNTS),
)
def test_accessible_in_the_dark_and_the_light_and_on_a_phone(
    site: Site, kind: str, locale: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    texts = ("Plain words.", "| a | b |\n|-|-|\n| `1` | [c](https://c.org) |", EVIL)
    site.project.add(kind, group("p", *texts[: COUNTS[kind]], prompt=CONVERSATION))
    page = site.open(locale=locale)
    for scheme, width in (("light", 1280), ("dark", 320)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
        found = axe.run(page, options=rules).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(TARGETS) == []
        assert page.heard == []


@pytest.mark.parametrize("locale", ["zh-TW"])  # English is seen on the judging pages
def test_the_other_pages_are_accessible(site: Site, locale: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    site.project.add("pair", *(group(f"p{i}", "x " * 900, EVIL) for i in range(4)))
    bob = add_rater(site.project.store, "Bob").id
    work = next_work(site.project.store, bob)
    assert isinstance(work, Work)
    skip(site.project.store, bob, work.assignment, f"other: {EVIL} {'long' * 60}")
    for name, key in (("Mei", "a"), ("Tom", "b"), ("Ana", "a")):
        page = site.open(name, viewport={"width": 390, "height": 800}, locale=locale)
        for votes in range(4):
            press(page, key, "Enter")
            page.wait_for_function(
                "n => (document.querySelector('progress')?.value ?? 99) > n",
                arg=votes,
            )
    page.goto(site.address + "/join/" + links.team_token(SECRET, utc_now()))
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    paths = (
        "/team",
        "/team/raters",
        "/team/disputes",
        "/team/skipped",
        "/team/guidelines",
        "/account",
        "/help",
    )
    for path in (*paths, "/work", "/guidelines", "/nowhere"):
        page.goto(site.address + path)
        found = axe.run(page, options=rules).response["violations"]
        assert [(path, one["id"], one["nodes"][0]["html"]) for one in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_everything_works_without_scripts(site: Site) -> None:
    site.project.add("ranking", group("p", "w", "x"), group("q", "w", "x"))
    page = site.open(java_script_enabled=False)
    page.get_by_label("Place of answer 1").select_option("2")
    page.get_by_label("Place of answer 2").select_option("1")
    page.get_by_role("button", name="Submit").click()
    done(page, "1 of 2 done")
    [judgment] = site.said()
    assert judgment.value == ((judgment.shown[1],), (judgment.shown[0],))
    assert judgment.seconds is not None
    page.get_by_role("link", name="Cannot be judged").click()
    page.get_by_label("Something else").check()
    page.get_by_role("button", name="Skip it").click()
    done(page, "Skipped")
    page.get_by_role("button", name="Undo the last").click()
    done(page, "You skipped this")
    page.get_by_role("button", name="Undo the last").click()
    done(page, "This is your last vote")
    assert page.get_by_label("Place of answer 1").input_value() == "2"
    assert page.get_by_text("Cannot be judged").count() == 1  # in the help: it has a vote
