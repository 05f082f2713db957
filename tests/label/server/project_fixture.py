"""A small project and browsers of the people in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.testclient import TestClient

from suffrage.core.records import Completion, Group, Message, Prompt
from suffrage.label import links
from suffrage.label.server import Settings
from suffrage.label.store.contents import TaskPlan, add_groups, add_tasks
from suffrage.label.store.database import Store
from suffrage.label.store.raters import Rater, add_rater

SECRET = "a secret of the tests"
NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
QUICK = Settings(secret=SECRET, requests_per_second=1e6, burst=10**6, team_refresh=0.0)


@dataclass
class Clock:
    """The time, which passes only when a test says so."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **time: float) -> None:
        self.now += timedelta(**time)


def group(name: str, *texts: str, prompt: str | tuple[Message, ...] = "", **meta: object) -> Group:
    """A prompt with these answers, each by a model of its own."""
    answers = tuple(
        Completion(id=f"{name}-gpt{i}", prompt_id=name, text=text, source=f"secret-model-{i}")
        for i, text in enumerate(texts)
    )
    content = prompt or f"Request {name}"
    return Group(prompt=Prompt(id=name, content=content, meta=meta), completions=answers)


@dataclass
class Person:
    """Somebody's browser, signed in."""

    client: TestClient
    page: str = ""
    rater: Rater | None = None

    def open(self, path: str = "/work") -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        self.page = answer.text
        return self.page

    @property
    def token(self) -> str:
        return value_of(self.page, "token")

    @property
    def assignment(self) -> str:
        found = re.search(r'action="/work/([\w-]+)"', self.page)
        assert found, self.page
        return found.group(1)

    def form(self, **fields: str) -> dict[str, str]:
        """What the page would send."""
        hidden = {name: value_of(self.page, name) for name in ("token", "client_id", "opened")}
        named = {name.replace("place_", "place-"): value for name, value in fields.items()}
        return {**hidden, "seconds": "3.5", **named}

    def post(self, path: str, **fields: str) -> Any:
        return self.client.post(path, data={"token": self.token, **fields})

    def vote(self, **fields: str) -> Any:
        return self.client.post(f"/work/{self.assignment}", data=self.form(**fields))


def value_of(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name} in {page}"
    return found.group(1)


@dataclass
class Project:
    """A store with its page; `add` plans work, `join` signs somebody in."""

    store: Store
    clock: Clock
    app: Starlette

    def add(self, kind: str, *groups: Group, criterion: str = "overall", overlap: int = 3) -> None:
        add_groups(self.store, groups)
        add_tasks(self.store, TaskPlan(kind=kind, criterion=criterion, overlap=overlap))

    def client(self) -> TestClient:
        return TestClient(self.app, follow_redirects=False)

    def join(self, name: str = "Mei") -> Person:
        rater = add_rater(self.store, name)
        client = self.client()
        token = links.rater_token(SECRET, rater.id, self.clock())
        assert client.get(f"/join/{token}").status_code == 303
        return Person(client, rater=rater)

    def team(self) -> Person:
        client = self.client()
        assert client.get(f"/join/{links.team_token(SECRET, self.clock())}").status_code == 303
        return Person(client)
