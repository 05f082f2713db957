"""From prompts to groups: each with n completions sampled from one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from suffrage.core.errors import DataError
from suffrage.core.records import Completion, Group, Prompt, short_id
from suffrage.data.conditioning import Condition
from suffrage.data.encode import Overlong
from suffrage.models.endpoint import Endpoint, ask
from suffrage.models.language_model import LanguageModel
from suffrage.models.sample import Sampling, sample


def generate(
    bundle: LanguageModel,
    prompts: Sequence[Prompt],
    n: int,
    sampling: Sampling,
    *,
    overlong: Overlong = "refuse",
    name: str | None = None,
) -> list[Group]:
    """A group for each prompt that fits, with `n` completions marked as coming from `name`.

    A model with a condition is asked after its phrase, which the completions' settings keep.
    More new tokens than half the context are cut to that half, so that every model can answer.
    """
    condition = bundle.condition
    encoder = replace(bundle.encoder(overlong), condition=condition)
    sampling = replace(sampling, max_new_tokens=min(sampling.max_new_tokens, bundle.context // 2))
    fitting = [
        (prompt, tokens)
        for prompt in prompts
        if (tokens := encoder.fits(prompt, encoder.prompt(prompt), sampling.max_new_tokens))
    ]
    if not fitting:
        raise DataError("no prompt fits in the model's context; pass --overlong cut.")
    sampled = sample(bundle, [tokens for _, tokens in fitting], n, sampling)
    source = name or bundle.name
    return [
        _group(
            prompt,
            [(encoder.text(prompt, tokens, s.tokens, sampling.stop), s.finished) for s in own],
            source,
            sampling,
            condition,
        )
        for (prompt, tokens), own in zip(fitting, sampled, strict=True)
    ]


def generate_by_server(
    endpoint: Endpoint,
    prompts: Sequence[Prompt],
    n: int,
    sampling: Sampling,
    *,
    condition: Condition | None = None,
    name: str | None = None,
) -> list[Group]:
    """The same by a model on a server, which says itself what is too long for it."""
    asked = [condition.of(prompt, plain=False) if condition else prompt for prompt in prompts]
    source = name or f"{endpoint.url}#{endpoint.model}"
    return [
        _group(prompt, [(a.text, a.finished) for a in own], source, sampling, condition)
        for prompt, own in zip(prompts, ask(endpoint, asked, n, sampling), strict=True)
    ]


def _group(
    prompt: Prompt,
    answers: Sequence[tuple[str, bool]],
    source: str,
    sampling: Sampling,
    condition: Condition | None,
) -> Group:
    """The prompt with these texts, each marked by whether the model ended it."""
    asked = {} if condition is None else {"asked_after": condition.phrase(prompt)}
    settings = {**told(sampling), **asked}
    completions = tuple(
        Completion(
            id=short_id(prompt.id, source, str(sampling.seed), str(k), *asked.values()),
            prompt_id=prompt.id,
            text=text,
            source=source,
            seed=sampling.seed,
            settings={**settings, "finished": finished},
        )
        for k, (text, finished) in enumerate(answers)
    )
    return Group(prompt=prompt, completions=completions)


def told(sampling: Sampling) -> dict[str, Any]:
    """What a completion's settings keep of the options: the usual ones, and others where given."""
    usual = ("max_new_tokens", "temperature", "top_p", "top_k")
    off = asdict(Sampling(max_new_tokens=sampling.max_new_tokens))
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(sampling).items()
        if name in usual or (name not in ("seed", "batch_size") and value != off[name])
    }
