"""Answers from a server: what is asked, in what order, what is tried again, what is refused."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from chat_server import Reply, choices

from suffrage.core.errors import ModelError, SettingsError
from suffrage.core.records import Message, Prompt
from suffrage.data.conditioning import Condition
from suffrage.models import endpoint as module
from suffrage.models.endpoint import (
    Answer,
    Endpoint,
    NoAnswerError,
    ask,
    ask_each,
    is_endpoint,
    retry_after,
)
from suffrage.models.generate import generate_by_server
from suffrage.models.sampling import Sampling


def echo(body: dict[str, Any], _: int) -> Reply:
    return choices(*(f" {body['messages'][-1]['content']} {k}\n" for k in range(body["n"])))


def prompts(count: int) -> list[Prompt]:
    return [Prompt(id=f"p{i}", content=f"問題 {i}") for i in range(count)]


def test_answers_come_in_the_order_of_the_prompts_and_few_requests_at_once(serve):
    def answer(body: dict[str, Any], count: int) -> Reply:
        time.sleep(0.05 if count % 3 else 0.15)
        return echo(body, count)

    server = serve(answer)
    answered = ask(server.endpoint(requests=3), prompts(10), 2, Sampling())
    expected = [[Answer(f"問題 {i} {k}", True) for k in range(2)] for i in range(10)]
    assert answered == expected
    assert server.most_at_once == 3


def test_what_is_asked(serve):
    server = serve(echo)
    turns = (Message(role="system", content="Be brief."), Message(role="user", content="Why?"))
    chat = [Prompt(id="c", content=turns), Prompt(id="d", content="How?")]
    usual = Sampling(max_new_tokens=9, temperature=0.3, top_p=0.8, stop=("\n\n",), seed=4)
    ask(server.endpoint(requests=1), chat, 2, usual)
    first, second = server.asked
    seeds = [first.pop("seed"), second.pop("seed")]
    assert first == {
        "path": "/v1/chat/completions",
        "model": "tiny",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Why?"},
        ],
        "n": 2,
        "max_tokens": 9,
        "temperature": 0.3,
        "top_p": 0.8,
        "stop": ["\n\n"],
    }
    assert second["messages"] == [{"role": "user", "content": "How?"}]
    ask(server.endpoint(requests=1), chat, 2, usual)
    assert [body["seed"] for body in server.asked[2:]] == seeds
    assert len(set(seeds)) == 2
    further = Sampling(top_k=7, min_p=0.1, repetition_penalty=1.2, min_new_tokens=3)
    ask(server.endpoint(), chat[:1], 1, further)
    extended = {"top_k": 7, "min_p": 0.1, "repetition_penalty": 1.2, "min_tokens": 3}
    assert extended.items() <= server.asked[-1].items()


def test_a_server_that_gives_one_answer_at_a_time_is_asked_again(serve):
    server = serve(lambda body, count: choices(f"answer {count}"))
    ((*answers,),) = ask(server.endpoint(), prompts(1), 3, Sampling())
    assert [a.text for a in answers] == ["answer 1", "answer 2", "answer 3"]
    assert len({body["seed"] for body in server.asked}) == 3


def test_an_answer_cut_by_its_length_is_not_finished(serve):
    server = serve(lambda *_: choices("on and on", reason="length"))
    assert ask(server.endpoint(), prompts(1), 1, Sampling()) == [[Answer("on and on", False)]]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_pass_is_tried_again(serve, status):
    def answer(body: dict[str, Any], count: int) -> Reply:
        return (status, {}, "busy") if count < 4 else echo(body, count)

    server = serve(answer)
    assert ask(server.endpoint(), prompts(1), 1, Sampling())[0][0].text == "問題 0 0"
    assert len(server.asked) == 4


def test_waits_grow_and_a_server_that_names_one_is_heeded(serve, monkeypatch):
    waits: list[float] = []
    delay = module._delay

    def noted(*given: Any) -> float:
        waits.append(delay(*given))
        return 0.0

    monkeypatch.setattr(module, "_delay", noted)

    def answer(body: dict[str, Any], count: int) -> Reply:
        stated = {3: {"retry-after": "7"}, 4: {"retry-after": "900"}}
        return (429, stated.get(count, {}), "") if count < 5 else choices("x")

    server = serve(answer)
    ask(server.endpoint(pause=0.4), prompts(1), 1, Sampling())
    assert 0.2 <= waits[0] <= 0.4
    assert 0.4 <= waits[1] <= 0.8
    assert waits[2:] == [7.0, 120.0]


def test_a_refusal_ends_the_waits_of_the_others(serve):
    def answer(body: dict[str, Any], count: int) -> Reply:
        first = body["messages"][0]["content"] == "問題 0"
        return (401, {}, "no") if first else (429, {"retry-after": "60"}, "")

    server, started = serve(answer), time.monotonic()
    with pytest.raises(ModelError, match="without its key"):
        ask(server.endpoint(), prompts(5), 1, Sampling())
    assert time.monotonic() - started < 20


def test_retry_after_holds_seconds_or_a_date():
    assert retry_after("2.5") == 2.5
    assert retry_after("-3") == retry_after("soon") == retry_after("") == 0
    then = datetime.now(UTC) + timedelta(seconds=40)
    assert 30 < retry_after(format_datetime(then, usegmt=True)) <= 40


def test_a_slow_answer_and_a_silent_server_are_tried_again(serve):
    def answer(body: dict[str, Any], count: int) -> Reply:
        if count == 1:
            time.sleep(0.6)
        return echo(body, count)

    server = serve(answer)
    assert ask(server.endpoint(timeout=0.2), prompts(1), 1, Sampling())[0][0].finished
    gone = Endpoint("http://127.0.0.1:9/v1", "m", attempts=2, pause=0.01)
    with pytest.raises(ModelError, match=r"gave no answer in 2 attempts \(ConnectError\); start"):
        ask(gone, prompts(2), 1, Sampling())


@pytest.mark.parametrize(
    ("reply", "tries", "sentence"),
    [
        (
            (401, {}, {"error": {"message": "no"}}),
            1,
            "without its key .* OPENAI_API_KEY is not set",
        ),
        ((404, {}, {"error": {"message": "no x."}}), 1, r"no model 'tiny' .*no x\); its models"),
        ((400, {}, {"detail": "too\nlong"}), 1, r"refused the request \(status 400: .*too"),
        ((500, {}, "out of memory"), 6, r"in 6 attempts \(status 500: out of memory\); change"),
        ((200, {}, "<html>"), 1, "no chat completions but '<html>'; check"),
        ((200, {}, {"choices": []}), 1, "no chat completions but"),
    ],
    ids=str,
)
def test_a_refusal_is_one_sentence_and_ends_it(serve, monkeypatch, reply, tries, sentence):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    server = serve(lambda *_: reply)
    with pytest.raises(ModelError, match=sentence):
        ask(server.endpoint(requests=1), prompts(60), 1, Sampling())
    assert tries <= len(server.asked) < 60  # others may have begun before the first was told


def test_where_each_is_asked_for_itself_a_refused_one_does_not_end_the_others(serve):
    def answer(body: dict[str, Any], count: int) -> Reply:
        return (
            (400, {}, "too long")
            if body["messages"][0]["content"] == "問題 1"
            else echo(body, count)
        )

    first, second, third = ask_each(serve(answer).endpoint(), prompts(3), 1, Sampling())
    assert (first, third) == ([Answer("問題 0 0", True)], [Answer("問題 2 0", True)])
    assert isinstance(second, NoAnswerError)
    assert "too long" in str(second)


@pytest.mark.parametrize("status", [401, 404])
def test_a_wrong_key_or_model_ends_that_as_well(serve, status):
    server = serve(lambda *_: (status, {}, "no"))
    with pytest.raises(ModelError, match=f"status {status}"):
        ask_each(server.endpoint(), prompts(3), 1, Sampling())


def test_the_key_is_sent_and_kept_nowhere(serve, monkeypatch, caplog):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    caplog.set_level(logging.DEBUG)
    server = serve(echo)
    groups = generate_by_server(server.endpoint(), prompts(2), 1, Sampling())
    assert set(server.keys) == {"Bearer sk-secret"}
    assert "secret" not in caplog.text + str([g.to_json() for g in groups])
    refusing = serve(lambda *_: (401, {}, "wrong"))
    with pytest.raises(ModelError, match="OPENAI_API_KEY is not accepted") as told:
        ask(refusing.endpoint(), prompts(1), 1, Sampling())
    assert "secret" not in str(told.value)


def test_groups_say_where_their_completions_come_from(serve):
    server = serve(echo)
    asked = Condition("A good answer:", "好答案:")
    (group,) = generate_by_server(
        server.endpoint(), prompts(1), 2, Sampling(seed=3, min_p=0.2), condition=asked, name="s#m"
    )
    assert server.asked[0]["messages"][0]["content"] == "問題 0\n\n好答案:"
    assert group.prompt.content == "問題 0"
    first, second = group.completions
    assert (first.source, first.seed, first.settings["min_p"]) == ("s#m", 3, 0.2)
    assert (first.settings["finished"], first.settings["asked_after"]) == (True, "好答案:")
    assert first.id != second.id


def test_names_of_servers():
    assert is_endpoint("https://h/v1#m")
    assert not is_endpoint("runs/http#m")
    named = Endpoint.named("http://h:8/v1/#org/name", requests=3)
    assert (named.url, named.model, named.requests) == ("http://h:8/v1", "org/name", 3)
    with pytest.raises(SettingsError, match="names no model; write"):
        Endpoint.named("http://h:8/v1")
    with pytest.raises(SettingsError, match="no user and password") as told:
        Endpoint.named("http://me:hush@h:8/v1#m")
    assert "hush" not in str(told.value)
    with pytest.raises(SettingsError, match="suppress_tokens cannot be asked of a server"):
        ask(named, prompts(1), 1, Sampling(suppress_tokens=(3,)))
    with pytest.raises(SettingsError, match="is no address of a server"):
        ask(Endpoint("http://h:port/v1", "m"), prompts(1), 1, Sampling())
