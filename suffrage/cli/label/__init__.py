"""`suffrage label VERB`: a project where people judge, from the first item to the export."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from suffrage.core.errors import UserError, nearest

# verb -> what it does, and its module here
VERBS = {
    "serve": ("the page where raters judge, and the team's view of it", "serve"),
    "invite": ("signed links for raters, or for the team", "invite"),
    "import": ("add prompts, completions and judgments of any format", "add"),
    "export": ("write the votes for analysis or training", "export"),
    "simulate": ("let simulated raters, whose truth is known, do the work", "simulate"),
    "rules": ("how work is given out, and how fast it may be done", "rules"),
    "status": ("how far the work has come, and rater by rater", "status"),
}


def run(words: Sequence[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(_overview())
        return 0
    if words[0] not in VERBS:
        raise UserError(f"suffrage label has no verb {words[0]!r}; {nearest(words[0], VERBS)}")
    module = importlib.import_module(f"suffrage.cli.label.{VERBS[words[0]][1]}")
    status: int = module.run(words[1:])
    return status


def _overview() -> str:
    verbs = "\n".join(f"  {verb:9} {what}" for verb, (what, _) in VERBS.items())
    return (
        "usage: suffrage label VERB ...\n\nPeople judge completions in a web page.\n\n"
        f"{verbs}\n\n`suffrage label VERB --help` explains a verb."
    )
