"""The prompts of a run: to answer in training, and held out."""

from __future__ import annotations

from dataclasses import dataclass

from suffrage.core.errors import DataError
from suffrage.core.records import Group, Prompt
from suffrage.data.encode import Encoder
from suffrage.data.read import read_prompts
from suffrage.train.material import split_groups
from suffrage.train.settings import TrainSettings


@dataclass(frozen=True)
class Task:
    """A prompt to answer: the record and its tokens."""

    prompt: Prompt
    tokens: list[int]


def tasks_of(
    settings: TrainSettings, encoder: Encoder, new_tokens: int
) -> tuple[list[Task], list[Task], str]:
    """Prompts to train on and prompts to evaluate on, from two files or from one split by seed."""
    tasks, note = read_tasks(settings.data, encoder, new_tokens, settings.data_size)
    if settings.eval_data is not None:
        held_out, more = read_tasks(settings.eval_data, encoder, new_tokens, None)
        return tasks, held_out, f"{note}; {more}"
    groups = [Group(prompt=task.prompt) for task in tasks]
    _, held = split_groups(groups, settings.holdout, settings.seed)
    names = {group.prompt.id for group in held}
    kept = [task for task in tasks if task.prompt.id not in names]
    return kept, [task for task in tasks if task.prompt.id in names], note


def read_tasks(
    source: str, encoder: Encoder, new_tokens: int, data_size: int | None
) -> tuple[list[Task], str]:
    """The prompts of a file as tasks that leave room for the answer, and what was made of them."""
    prompts, report = read_prompts(source, data_size=data_size)
    tasks = []
    without, shortened = 0, 0
    with report.located():
        for prompt in prompts:
            whole = encoder.prompt(prompt)
            tokens = encoder.fits(prompt, whole, new_tokens)
            if tokens is None:
                without += 1
                continue
            shortened += len(tokens) < len(whole)
            tasks.append(Task(prompt, tokens))
    if not tasks:
        raise DataError(
            f"no prompt leaves room for {new_tokens} new tokens; ask for fewer.", source
        )
    room = f"so that {new_tokens} new tokens fit in {encoder.context}"
    told = [f"prompts left out {room}: {without}"] * bool(without)
    told += [f"prompts that lost their beginning {room}: {shortened}"] * bool(shortened)
    return tasks, "; ".join([str(report), *told])
