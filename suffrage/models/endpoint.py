"""Completions from an OpenAI-compatible server (vLLM, llama.cpp, Ollama and others) by its URL.

`http://host:port/v1#MODEL` names the server and the model on it. The protocol is that of chat
completions (https://platform.openai.com/docs/api-reference/chat/create). The key comes from the
environment and is written nowhere.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import numpy as np

from suffrage.core.errors import ModelError, SettingsError
from suffrage.core.progress import progress_bar
from suffrage.core.records import Prompt
from suffrage.models.sampling import Sampling

KEY = "OPENAI_API_KEY"
PASSING = (408, 409, 429, 500, 502, 503, 504)  # refusals worth another try
LONGEST_WAIT = 120.0  # seconds before another try, whatever the server asks for
# What servers call options that OpenAI's own does not have; sent only where they are on.
EXTENSIONS = {
    "top_k": "top_k",
    "min_p": "min_p",
    "repetition_penalty": "repetition_penalty",
    "min_new_tokens": "min_tokens",
}


@dataclass(frozen=True)
class Endpoint:
    """A model on a server, and how patiently it is asked."""

    url: str
    model: str
    requests: int = 8  # in flight at once
    attempts: int = 6
    pause: float = 1.0  # seconds before the second attempt; twice as long before each further one
    timeout: float = 300.0

    @property
    def name(self) -> str:
        return f"{self.url}#{self.model}"

    @staticmethod
    def named(
        name: str, requests: int = 8, *, attempts: int = 6, timeout: float = 300.0
    ) -> Endpoint:
        url, _, model = name.partition("#")
        if not model:
            raise SettingsError(
                f"{name} names no model; write the server's address, a # and the model, such as "
                "http://localhost:8000/v1#MODEL."
            )
        if "@" in url:
            raise SettingsError(
                "a server's address is written into the answers, so it must hold no user and "
                f"password; give a key in {KEY}."
            )
        return Endpoint(url.rstrip("/"), model, requests, attempts, timeout=timeout)


@dataclass(frozen=True)
class Answer:
    """One completion from a server."""

    text: str
    finished: bool  # False where the limit of tokens cut it


def is_endpoint(name: str) -> bool:
    return name.startswith(("http://", "https://"))


class NoAnswerError(ModelError):
    """A request that the server did not answer; it may still answer others."""


def ask(
    endpoint: Endpoint, prompts: Sequence[Prompt], n: int, sampling: Sampling
) -> list[list[Answer]]:
    """`n` answers for each prompt, in the order given; the first refusal ends it all."""
    answered = []
    with (
        _asking(endpoint, prompts, n, sampling) as futures,
        progress_bar("asking", len(prompts)) as advance,
    ):
        for future in futures:
            answered.append(future.result())
            advance()
    return answered


def ask_each(
    endpoint: Endpoint, prompts: Sequence[Prompt], n: int, sampling: Sampling
) -> list[list[Answer] | NoAnswerError]:
    """The same, with what went wrong in the place of answers that did not come.

    What no request can survive, such as a wrong key or model, still ends it all. Draws no progress,
    since it may be asked in the middle of a training.
    """
    with _asking(endpoint, prompts, n, sampling) as futures:
        return [_answers_or_why(future) for future in futures]


def _answers_or_why(future: Future[list[Answer]]) -> list[Answer] | NoAnswerError:
    try:
        return future.result()
    except NoAnswerError as error:
        return error


@contextmanager
def _asking(
    endpoint: Endpoint, prompts: Sequence[Prompt], n: int, sampling: Sampling
) -> Iterator[list[Future[list[Answer]]]]:
    """The requests under way; an exception ends those that are left."""
    if sampling.suppress_tokens:
        raise SettingsError(
            "suppress_tokens cannot be asked of a server, which has its own tokens; leave it out "
            "or name a model's folder."
        )
    with _client(endpoint) as client, ThreadPoolExecutor(endpoint.requests) as pool:
        line = _Line(endpoint, client, threading.Event())
        try:
            yield [
                pool.submit(_answers, line, _body(endpoint, prompt, n, sampling, key))
                for key, prompt in enumerate(prompts)
            ]
        except BaseException:
            line.given_up.set()  # nobody waits for another attempt
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@dataclass(frozen=True)
class _Line:
    """A connection to the server, which all requests share."""

    endpoint: Endpoint
    client: httpx2.Client
    given_up: threading.Event


def _client(endpoint: Endpoint) -> httpx2.Client:
    key = os.environ.get(KEY)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        return httpx2.Client(base_url=endpoint.url, headers=headers, timeout=endpoint.timeout)
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise SettingsError(
            f"{endpoint.url} is no address of a server ({error}); write one such as "
            "http://localhost:8000/v1#MODEL."
        ) from error


def _body(
    endpoint: Endpoint, prompt: Prompt, n: int, sampling: Sampling, key: int
) -> dict[str, Any]:
    """A request; its seed belongs to (seed, prompt), as that of our own sampler does."""
    content = prompt.content
    if isinstance(content, str):
        messages = [{"role": "user", "content": content}]
    else:
        messages = [{"role": turn.role, "content": turn.content} for turn in content]
    off = Sampling()
    return {
        "model": endpoint.model,
        "messages": messages,
        "n": n,
        "max_tokens": sampling.max_new_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": int(np.random.default_rng([sampling.seed, key]).integers(1 << 31)),
        **({"stop": list(sampling.stop)} if sampling.stop else {}),
        **{
            theirs: getattr(sampling, ours)
            for ours, theirs in EXTENSIONS.items()
            if getattr(sampling, ours) != getattr(off, ours)
        },
    }


def _answers(line: _Line, body: dict[str, Any]) -> list[Answer]:
    """As many answers as were asked for: a server that gives one at a time is asked again."""
    answers: list[Answer] = []
    while missing := body["n"] - len(answers):
        asked = {**body, "n": missing, "seed": body["seed"] + len(answers)}
        answers += _read(line.endpoint, _post(line, asked))[:missing]
    return answers


def _read(endpoint: Endpoint, response: httpx2.Response) -> list[Answer]:
    try:
        answers = [
            Answer(
                str(choice["message"].get("content") or "").strip(),
                choice.get("finish_reason") != "length",
            )
            for choice in response.json()["choices"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _strange(endpoint, response) from error
    if not answers:
        raise _strange(endpoint, response)
    return answers


def _strange(endpoint: Endpoint, response: httpx2.Response) -> NoAnswerError:
    return NoAnswerError(
        f"{endpoint.url} answered with no chat completions but {response.text[:80]!r}; check that "
        "the address ends as the server says, mostly in /v1."
    )


def _post(line: _Line, body: dict[str, Any]) -> httpx2.Response:
    """The server's answer; what may pass is tried again, ever later."""
    for attempt in range(line.endpoint.attempts):
        last = attempt + 1 == line.endpoint.attempts
        stated = ""
        try:
            response = line.client.post("chat/completions", json=body)
        except httpx2.TransportError as error:
            if last:
                raise _silent(line.endpoint, error) from error
        else:
            if response.is_success:
                return response
            if last or response.status_code not in PASSING:
                raise _refused(line.endpoint, response)
            stated = response.headers.get("retry-after", "")
        if line.given_up.wait(_delay(line.endpoint, attempt, stated)):
            break
    raise CancelledError


def _delay(endpoint: Endpoint, attempt: int, stated: str) -> float:
    """Seconds to wait: twice as long each time, and no less than the server states."""
    # Jitter keeps requests that failed together from coming back together.
    backoff = endpoint.pause * 2.0**attempt * random.uniform(0.5, 1)
    return min(max(retry_after(stated), backoff), LONGEST_WAIT)


def retry_after(stated: str) -> float:
    """Seconds from a Retry-After header, which holds seconds or a date (RFC 9110, 10.2.3)."""
    try:
        return max(0.0, float(stated))
    except ValueError:
        pass
    try:
        then = parsedate_to_datetime(stated)
    except ValueError:
        return 0.0
    return max(0.0, (then - datetime.now(then.tzinfo and UTC)).total_seconds())


def _silent(endpoint: Endpoint, error: Exception) -> NoAnswerError:
    return NoAnswerError(
        f"{endpoint.url} gave no answer in {endpoint.attempts} attempts "
        f"({type(error).__name__}); start the server or check the address."
    )


def _refused(endpoint: Endpoint, response: httpx2.Response) -> ModelError:
    status, said = response.status_code, _reason(response)
    if status in (401, 403):
        held = "is not accepted" if os.environ.get(KEY) else "is not set"
        return ModelError(
            f"{endpoint.url} lets nobody in without its key (status {status}), and {KEY} {held}; "
            "set it to the server's key."
        )
    if status == 404:
        return ModelError(
            f"{endpoint.url} knows no model {endpoint.model!r} or no such address (status 404: "
            f"{said}); its models are listed at {endpoint.url}/models."
        )
    again = f" in {endpoint.attempts} attempts" if status in PASSING else ""
    return NoAnswerError(
        f"{endpoint.url} refused the request{again} (status {status}: {said}); change the options "
        "or look at the server's log."
    )


def _reason(response: httpx2.Response) -> str:
    """What the server said, in one line."""
    try:
        found = response.json()
        found = found.get("error", found)
        said = str(found["message"] if isinstance(found, dict) and "message" in found else found)
    except (ValueError, AttributeError):
        said = response.text
    return " ".join(said.split())[:200].rstrip(".")
