"""What a run learns from: its data as examples, split by prompt, with the reference's figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from suffrage.core.errors import SettingsError
from suffrage.core.records import Group
from suffrage.data.read import read_groups
from suffrage.models.language_model import LanguageModel, load
from suffrage.objectives.objective import Objective
from suffrage.train.examples import Example, make_examples
from suffrage.train.heads import ONE, Heads, find_heads
from suffrage.train.rater_groups import PREFIX, asked_for, find_rater_groups
from suffrage.train.reference import with_reference
from suffrage.train.settings import TrainSettings
from suffrage.train.start import device_of


@dataclass(frozen=True)
class Data:
    training: list[Example]
    held_out: list[Example]
    notes: tuple[str, ...]


def read_data(
    settings: TrainSettings, policy: LanguageModel, row: Objective, heads: Heads | None
) -> Data:
    groups, report = read_groups(
        settings.data, data_size=settings.data_size, support_ratio=settings.support_ratio
    )
    kept, held = split_groups(groups, settings.holdout, settings.seed)
    notes, held_report = [str(report)], report
    if settings.eval_data:
        held, held_report = read_groups(settings.eval_data)
        notes.append(str(held_report))
    encoder = policy.encoder(settings.overlong, settings.max_length)
    with report.located():
        training, note = make_examples(kept, encoder, row, "", settings.seed, heads)
    option = "--eval-data" if settings.eval_data else "--holdout"
    with held_report.located():
        given = (held, encoder, row, option, settings.seed, heads)
        held_out, held_note = make_examples(*given) if held else ([], "")
    notes += [f"training: {note}"] * bool(note) + [f"held out: {held_note}"] * bool(held_note)
    return Data(training, held_out, tuple(notes))


def split_groups(
    groups: Sequence[Group], holdout: float, seed: int
) -> tuple[list[Group], list[Group]]:
    """Training and held-out groups, split by prompt so that no prompt is in both."""
    prompts = list(dict.fromkeys(group.prompt.text for group in groups))
    count = round(holdout * len(prompts))
    if holdout and not 0 < count < len(prompts):
        raise SettingsError(
            f"--holdout {holdout} of {len(prompts)} prompts leaves one side empty; choose another."
        )
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(prompts), generator=generator).tolist()
    held = {prompts[i] for i in order[:count]}
    return (
        [group for group in groups if group.prompt.text not in held],
        [group for group in groups if group.prompt.text in held],
    )


def take_reference(policy: LanguageModel, data: Data, tokens: int) -> Data:
    training, held_out = (
        with_reference(policy, part, tokens) for part in (data.training, data.held_out)
    )
    return Data(training, held_out, data.notes)


def heads_of(settings: TrainSettings) -> Heads | None:
    """The heads asked for, as the data has them; groups of raters come from the training part."""
    if settings.heads == ONE:
        return None
    groups, _ = read_groups(
        settings.data, data_size=settings.data_size, support_ratio=settings.support_ratio
    )
    if not settings.heads.startswith(PREFIX):
        return find_heads(settings.heads, groups)
    asked_for(settings.heads)  # a wrong word is told before the model is loaded
    kept, _ = split_groups(groups, settings.holdout, settings.seed)
    model = load(settings.model, device_of(settings.device))
    encoder = model.encoder(settings.overlong, settings.max_length)
    found = find_rater_groups(settings.heads, kept, model, encoder, settings.seed)
    names, members = tuple(sorted(set(found.groups.values()))), found.groups
    return Heads(names, lambda judgment: members.get(judgment.rater, ""), members, found.note)
