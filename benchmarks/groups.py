"""Raters who truly disagree: one reward for all against a reward a group and MaxMin.

    python -m benchmarks.groups --demo DEMO --seeds 0 1 2

Needs a finished `suffrage demo` in English. Its answers are judged by the divided population (seven
raters for adaptations, four against), once a seed. Then two reward models are trained, one for all
and one with a head for each group that is found, and from each a policy (RLOO; the second with
`--combine maxmin`). Printed are, for each camp of raters: how often the rewards order pairs of
answers to held-out questions as the camp truly does, and what the answers of each policy to the ten
test questions are truly worth to it (-2 to 5.5), both with 95 % intervals by question.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections import defaultdict
from pathlib import Path

import torch

from suffrage.core.files import read_json
from suffrage.core.records import Group, Prompt
from suffrage.data.read import read_groups, read_prompts, write_groups
from suffrage.label.simulate import simulate_rankings
from suffrage.models.generate import generate
from suffrage.models.language_model import load
from suffrage.models.sample import Sampling
from suffrage.stats.intervals import clustered_mean
from suffrage.train.rl.reward import find_reward
from suffrage.train.rl.run import train_online
from suffrage.train.run import train_offline
from suffrage.train.settings import make_settings
from suffrage.worlds.adaptation import load_world
from suffrage.worlds.adaptation.raters import divided, rater_utility

WORLD = load_world("en")
CAMPS = {rater.name: str(rater.camp) for rater in divided()}
MAJORITY, MINORITY = "supporters", "opponents"
HELD_OUT, RATERS, NEW_TOKENS, STEPS, ANSWERS = 64, 5, 80, 48, 20
Figures = dict[tuple[str, str], list[tuple[str, float]]]  # (what, camp): (question, value)


def votes(demo: Path, seed: int, out: Path) -> tuple[Path, list[Group]]:
    """A file of judged answers to learn from, and groups whose prompts are not in it."""
    groups, _ = read_groups(str(demo / "completions.jsonl"))
    kept, held = groups[HELD_OUT:], groups[:HELD_OUT]
    by_prompt = defaultdict(list)
    for one in simulate_rankings(kept, divided(), rater_utility(WORLD), RATERS, seed):
        by_prompt[one.prompt_id].append(one)
    judged = [g.model_copy(update={"judgments": tuple(by_prompt[g.prompt.id])}) for g in kept]
    write_groups(out / "votes.jsonl", judged)
    return out / "votes.jsonl", held


def reward(demo: Path, data: Path, heads: str, seed: int, out: Path) -> None:
    settings = make_settings(
        method="reward", model=str(demo / "sft"), data=str(data), heads=heads, seed=seed,
        batch_size=16, epochs=2,
    )  # fmt: skip
    train_offline(settings, out)


def policy(demo: Path, rewards: list[str], seed: int, out: Path) -> None:
    more = {"combine": "maxmin", "reward_scale": "reference"} if len(rewards) > 1 else {}
    settings = make_settings(
        method="rloo", model=str(demo / "sft"), data=str(demo / "prompts.jsonl"), seed=seed,
        batch_size=16, max_steps=STEPS, epochs=8,
        options={"max_new_tokens": NEW_TOKENS, **more},
    )  # fmt: skip
    train_online(settings, rewards, out)


def ordered(name: str, held: list[Group], camp: str) -> list[tuple[str, float]]:
    """For each pair of answers that the camp values otherwise, whether the reward agrees."""
    score = find_reward(name, torch.device("cpu")).score
    found = []
    for group in held:
        texts = [c.text for c in group.completions]
        said = score([group.prompt], [texts]).tolist()
        worth = [WORLD.utility(group.prompt.text, text, camp) for text in texts]
        for i, j in itertools.combinations(range(len(texts)), 2):
            if worth[i] != worth[j] and texts[i] != texts[j]:
                right = (said[i] > said[j]) == (worth[i] > worth[j])
                found.append((group.prompt.id, float(right)))
    return found


def worth(model: Path, prompts: list[Prompt], camp: str) -> list[tuple[str, float]]:
    """What each of a policy's answers is worth to a camp."""
    groups = generate(load(model, "cpu"), prompts, ANSWERS, Sampling(NEW_TOKENS, seed=7))
    return [
        (group.prompt.id, WORLD.utility(group.prompt.text, c.text, camp))
        for group in groups
        for c in group.completions
    ]


def heads_of(run: Path) -> dict[str, str]:
    """The head whose raters mostly belong to each camp."""
    raters = read_json(run / "rater_groups.json")
    mostly = {}
    for head in sorted(set(raters.values())):
        camps = [CAMPS[name] for name, own in raters.items() if own == head]
        mostly[statistics.mode(camps)] = head
    return mostly


def one_seed(demo: Path, seed: int, out: Path) -> Figures:
    """Everything of one seed, trained where it was not yet."""
    out.mkdir(parents=True, exist_ok=True)
    data, held = votes(demo, seed, out)
    prompts, _ = read_prompts(str(demo / "test_prompt.json"))
    reward(demo, data, "one", seed, out / "single")
    reward(demo, data, "groups:auto", seed, out / "grouped")
    heads = heads_of(out / "grouped")
    names = [f"{out / 'grouped'}#{head}" for head in heads.values()]
    policy(demo, [str(out / "single")], seed, out / "policy-single")
    policy(demo, names, seed, out / "policy-maxmin")
    found: Figures = {}
    for camp in (MAJORITY, MINORITY):
        found["accuracy of the single reward", camp] = ordered(str(out / "single"), held, camp)
        own = f"{out / 'grouped'}#{heads[camp]}"
        found["accuracy of the group's own", camp] = ordered(own, held, camp)
        for label, model in (
            ("worth before", demo / "sft"),
            ("worth under the single reward", out / "policy-single"),
            ("worth under MaxMin", out / "policy-maxmin"),
        ):
            found[label, camp] = worth(model, prompts, camp)
    return found


def cell(values: list[tuple[str, float]]) -> str:
    questions = {name: number for number, name in enumerate(dict(values))}
    made = clustered_mean([v for _, v in values], [questions[name] for name, _ in values])
    return f"{made.value:.2f} [{made.low:.2f}, {made.high:.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("build/groups"))
    args = parser.parse_args()
    found = [one_seed(args.demo, seed, args.out / str(seed)) for seed in args.seeds]
    print(f"| | {MAJORITY} (7 raters) | {MINORITY} (4 raters) | by seed |\n|---|---|---|---|")
    for what in dict.fromkeys(what for what, _ in found[0]):
        cells = [
            cell([value for one in found for value in one[what, camp]])
            for camp in (MAJORITY, MINORITY)
        ]
        means = [
            " / ".join(
                f"{statistics.mean(v for _, v in one[what, camp]):.2f}"
                for camp in (MAJORITY, MINORITY)
            )
            for one in found
        ]
        print(f"| {what} | {' | '.join(cells)} | {', '.join(means)} |", flush=True)


if __name__ == "__main__":
    main()
