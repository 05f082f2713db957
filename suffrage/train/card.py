"""The model card written beside a trained model."""

from __future__ import annotations

from pathlib import Path

import suffrage
from suffrage.core.files import write_text
from suffrage.data.conditioning import Condition, load_condition
from suffrage.train.optimiser import Metrics
from suffrage.train.settings import TrainSettings

CARD = """---
library_name: transformers
tags: [suffrage, {method}]
---
# {name}

Trained with Suffrage {version}.

| | |
|---|---|
| method | {method} |
| from | `{model}` |
| data | `{data}` |
| seed | {seed} |{asked}
{metrics}

The votes it was trained on are those of its raters and of nobody else; read the run's report before
you rely on it.
"""


def write_card(folder: Path, settings: TrainSettings, metrics: Metrics) -> None:
    """Write README.md: what was trained, from what, on what, and the last figures."""
    rows = "\n".join(f"| {name} | {value:.4g} |" for name, value in metrics.items())
    text = CARD.format(
        name=folder.parent.name,
        version=suffrage.__version__,
        method=settings.method,
        model=settings.model,
        data=settings.data,
        seed=settings.seed,
        asked=_asked(load_condition(folder)),
        metrics=rows,
    )
    write_text(folder / "README.md", text)


def _asked(condition: Condition | None) -> str:
    """For those who load the model without Suffrage: what it learned to answer after."""
    if condition is None:
        return ""
    return f"\n| end every prompt with | {condition.english} (in Chinese {condition.chinese}) |"
