"""`suffrage rank --example`: votes of four groups of raters of the embedded world, as a CSV file.

Four writers answer the same questions: one always supports, one always opposes, one gives both
sides, one supports in haste (on another aspect, without a closing). Fans like support, critics
opposition, moderates balance, and editors look at the craft alone. Fans are the largest group.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from random import Random

from suffrage.core.files import write_text
from suffrage.core.records import Completion, Group
from suffrage.label.simulate import SimulatedRater, simulate_pairs
from suffrage.worlds.adaptation.questions import Question
from suffrage.worlds.adaptation.world import World, load_world

GROUPS = {"fans": 8, "critics": 3, "moderates": 2, "editors": 3}  # raters of each
_STANCES = {  # what a group makes of support, of opposition and of both sides
    "fans": (3.0, 0.0, 1.3),
    "critics": (0.0, 3.0, 2.0),
    "moderates": (0.8, 0.8, 2.4),
    "editors": (1.0, 1.0, 0.9),
}
_CRAFT = {"editors": 2.0}  # for the others .5: how much the aspect asked about and a closing weigh
_QUESTIONS, _RATERS_A_QUESTION, _NOISE = 40, 12, 0.8
COLUMNS = ("prompt", "a", "b", "winner", "rater", "group")


def write_example(path: Path, lang: str, seed: int) -> int:
    """Write the votes to `path` and return how many there are; `a` was shown first."""
    world = load_world(lang)
    rng = Random(f"rank example/{lang}/{seed}")
    questions = rng.sample(world.questions.training, _QUESTIONS)
    groups = [_group(world, rng, question) for question in questions]
    raters = [
        SimulatedRater(name=f"{group}-{number}", camp=group, noise=_NOISE)
        for group, size in GROUPS.items()
        for number in range(1, size + 1)
    ]
    rows = []
    by_prompt = {group.prompt.id: group for group in groups}

    def utility(group: Group, completion: Completion, rater: SimulatedRater) -> float:
        return _utility(world, group, completion, rater.camp)

    for vote in simulate_pairs(groups, raters, utility, _RATERS_A_QUESTION, seed):
        group = by_prompt[vote.prompt_id]
        writer = {completion.id: completion.source for completion in group.completions}
        won = vote.completions["ab".index(str(vote.value))] if vote.value in ("a", "b") else ""
        names = [writer[name] for name in vote.shown]
        rows.append(
            (
                group.prompt.text,
                *names,
                writer.get(won, "tie"),
                vote.rater,
                vote.rater.split("-")[0],
            )
        )
    write_text(path, _as_csv(rows))
    return len(rows)


def _as_csv(rows: list[tuple[str, ...]]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(rows)
    return text.getvalue()


def _group(world: World, rng: Random, question: Question) -> Group:
    compose, work, aspect = world.grammar.compose, question.work, question.aspect
    another = rng.choice([name for name in world.content.aspects if name != aspect])
    texts = {
        "supporter": compose(rng, "support", work, [aspect]),
        "opponent": compose(rng, "oppose", work, [aspect]),
        "both-sides": compose(rng, "balanced", work, [aspect, aspect]),
        "hasty": compose(rng, "support", work, [another], closing=False),
    }
    completions = tuple(
        Completion(id=name, prompt_id=question.id, text=text, source=name)
        for name, text in texts.items()
    )
    return Group(prompt=question.prompt(), completions=completions)


def _utility(world: World, group: Group, completion: Completion, camp: str) -> float:
    found = world.parse(group.prompt.text, completion.text)
    if found is None:
        return -1.0
    stance = dict(zip(("support", "oppose", "balanced"), _STANCES[camp], strict=True))
    craft = found.on_topic / found.arguments + 0.5 * found.has_closing
    return stance[found.stance] + _CRAFT.get(camp, 0.5) * craft
