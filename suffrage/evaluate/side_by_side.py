"""Answers of several models to the same prompts, side by side: for people and for a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from suffrage.core.errors import DataError
from suffrage.core.records import Prompt
from suffrage.core.results import Answer, Comparison, ComparisonResult


def side_by_side(
    prompts: Sequence[Prompt],
    answers: Mapping[str, Sequence[str]],
    stances: Mapping[str, Sequence[str]] | None = None,
) -> ComparisonResult:
    """One row a prompt with every model's answer, models in the order of `answers`.

    `answers` and `stances` hold one text a prompt for each model; else `DataError`.
    """
    stances = stances or {}
    for name, texts in (*answers.items(), *stances.items()):
        _check_one_each(name, texts, prompts)
    return ComparisonResult(
        rows=tuple(
            Comparison(
                prompt=prompt.text,
                answers=tuple(
                    Answer(
                        model=model,
                        text=texts[row],
                        stance=stances[model][row] if model in stances else "",
                    )
                    for model, texts in answers.items()
                ),
            )
            for row, prompt in enumerate(prompts)
        )
    )


def response_rows(
    prompts: Sequence[Prompt], original: Sequence[str], trained: Sequence[str]
) -> list[dict[str, Any]]:
    """The rows of a responses file: prompt, and its answer before and after training.

    The id is the one the prompt's file gave (`meta["id"]` where the reader kept it as it was).
    """
    _check_one_each("the original model", original, prompts)
    _check_one_each("the trained model", trained, prompts)
    return [
        {
            "id": prompt.meta.get("id", prompt.id),
            "prompt": prompt.text,
            "response_from_original_model": before,
            "response_from_trained_model": after,
        }
        for prompt, before, after in zip(prompts, original, trained, strict=True)
    ]


def _check_one_each(model: str, texts: Sequence[str], prompts: Sequence[Prompt]) -> None:
    if len(texts) != len(prompts):
        raise DataError(
            f"{model} has {len(texts)} answers to {len(prompts)} prompts; generate one for each."
        )
