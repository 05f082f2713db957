"""The demo's figures over several seeds, and the values-alignment assignment on the same model.

    python benchmarks/demo.py --lang zh --seeds 0 1 2 --out build/demo

Prints a Markdown table a language; what is already under --out is not made again. Times are those
of this machine, and hold only while nothing else runs on it.
"""

from __future__ import annotations

import argparse
import json
import statistics
from itertools import product
from pathlib import Path
from typing import Any

from suffrage.core.files import read_jsonl, write_json
from suffrage.core.machine import peak_memory_mib
from suffrage.data.read import read_prompts
from suffrage.demo.measure import measure_stance
from suffrage.demo.run import figures, run_demo
from suffrage.demo.setting import TEMPERATURE, Demo, answers
from suffrage.train.run import train_offline
from suffrage.train.settings import make_settings

RATIOS = (1.0, 0.5, 0.0)
NLL = (0.0, 1.0)  # with --nll 1 a small model's answers keep their form
ASSIGNMENT = {"data_size": 50, "epochs": 3}
SAMPLES = 100  # answers a question after the assignment; a share of 20 has a standard error of 1.4%


def study(lang: Any, seed: int, out: Path) -> dict[str, Any]:
    """One demo and the assignment's settings on its SFT model."""
    file = out / "figures.json"
    if file.exists():
        return json.loads(file.read_text(encoding="utf-8"))
    for row in run_demo(out, lang, seed):
        print(f"  {row['name']:9} {row['seconds']:7.1f} s  {row['figure']}", flush=True)
    demo = Demo(out, lang, seed)
    found = {
        **figures(out),
        "base": stance_of(demo, demo.base, demo.sizes.samples),
        "assignment": assignment(demo),
    }
    found["peak_memory_mib"] = peak_memory_mib()  # of this process so far
    found["seconds"] = {row["name"]: row["seconds"] for row in read_jsonl(out / "stages.jsonl")}
    write_json(file, found)
    return found


def assignment(demo: Demo) -> dict[str, Any]:
    """Stance on the 10 test prompts after DPO on the 50 rows, for each share of support."""
    found = {}
    for ratio, nll in product(RATIOS, NLL):
        said = f"support_ratio {ratio:g}" + (f", --nll {nll:g}" if nll else "")
        name = "assignment-" + said.replace(", --", "-").replace(" ", "-")
        settings = make_settings(
            method="dpo",
            model=str(demo.path("sft")),
            data=str(demo.path("labelled_data.json")),
            seed=demo.seed,
            support_ratio=ratio,
            options={"nll": nll},
            **ASSIGNMENT,
        )
        train_offline(settings, demo.path(name))
        found[said] = stance_of(demo, name, SAMPLES)
    return found


def stance_of(demo: Demo, model: str, samples: int) -> dict[str, float | None]:
    """Share of supporting and of well-formed answers to the 10 test prompts."""
    prompts, _ = read_prompts(demo.path("test_prompt.json"))
    groups = answers(demo, model, prompts, samples, demo.seed, TEMPERATURE)
    row = measure_stance(demo.world, {model: groups}, demo.seed).models[0]
    assert row.well_formed is not None
    return {"support": row.shares["support"].value, "well_formed": row.well_formed.value}


def table(found: list[dict[str, Any]]) -> str:
    """One row a figure, one column a seed."""
    rows: dict[str, list[str]] = {}

    def add(name: str, value: str) -> None:
        rows.setdefault(name, []).append(value)

    for one in found:
        add("support, base", f"{one['base']['support']:.1%}")
        add("well formed, base", f"{one['base']['well_formed']:.1%}")
        for model, share in one["support"].items():
            add(f"support, {model}", f"{share['value']:.1%}")
        for model, share in one["well_formed"].items():
            add(f"well formed, {model}", f"{share['value']:.1%}")
        for said, row in one["assignment"].items():
            cell = f"{row['support']:.1%} ({row['well_formed']:.1%} well formed)"
            add(f"support, DPO on 50 rows, {said}", cell)
        accuracy = one["reward_accuracy"]
        span = f"{accuracy['value']:.3f} [{accuracy['low']:.3f}, {accuracy['high']:.3f}]"
        add("reward model, held-out accuracy", span)
        add("alpha of the raters", f"{one['alpha']['value']:.2f}")
        add("odd raters named", ", ".join(f"{n} ({w})" for n, w in one["odd"].items()))
        add("seconds, all stages", f"{sum(one['seconds'].values()):.0f}")
        add("peak memory of the process", f"{one['peak_memory_mib']:.0f} MiB")
        add("seconds, the base model", f"{one['seconds']['base']:.0f}")
    lines = [f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows.items()]
    head = "| | " + " | ".join(f"seed {i}" for i in range(len(found))) + " |"
    return "\n".join([head, "|---" * (len(found) + 1) + "|", *lines])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lang", choices=("zh", "en"), nargs="+", default=["zh", "en"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("build/demo"))
    args = parser.parse_args()
    for lang in args.lang:
        found = [study(lang, seed, args.out / f"{lang}-{seed}") for seed in args.seeds]
        times = [sum(one["seconds"].values()) - one["seconds"]["base"] for one in found]
        print(f"\n## {lang}\n\n{table(found)}\n")
        print(f"Median seconds without the base model: {statistics.median(times):.0f}")


if __name__ == "__main__":
    main()
