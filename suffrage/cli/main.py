"""`suffrage VERB`: finds the verb, runs it, and turns a user's error into one sentence.

Exit status: 0 done, 2 the user's error, 130 interrupted; anything else is our bug and keeps its
traceback.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import suffrage
from suffrage.cli.show import printable
from suffrage.core.errors import NumericalError, UserError, nearest

# verb -> what it does; its module is suffrage.cli.<verb>
VERBS = {
    "demo": "the whole loop on the embedded world, from base model to report.html",
    "train": "train a model: sft, reward, dpo, kto, ..., ppo",
    "generate": "answer prompts with one model, or with several side by side",
    "agree": "how far raters agree, how reliable each is, and the consensus",
    "rank": "leaderboards of models, answers or anything compared, with intervals",
    "label": "people judge completions in a web page: serve, invite, ...",
    "report": "one self-contained page about runs and results",
}
RESUMABLE = ("demo", "train")


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence that names the nearest known word."""

    def error(self, message: str) -> NoReturn:
        said = message.removeprefix("argument ")
        raise UserError(f"{said[:1].lower()}{said[1:]}; see `{self.prog} --help`.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    _print_anything()
    try:
        status = _run(words)
        sys.stdout.flush()
        return status
    except (UserError, NumericalError) as error:
        return _stop(str(error), 2)
    except KeyboardInterrupt:
        resumes = words[:1] and words[0] in RESUMABLE
        return _stop(
            f"stopped; the same command {'carries on' if resumes else 'starts again'}.", 130
        )
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        with open(os.devnull, "w") as nowhere:  # or Python complains when it flushes at its end
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return 0


def _stop(sentence: str, status: int) -> int:
    print(f"suffrage: {printable(sentence)}", file=sys.stderr)
    return status


def _print_anything() -> None:
    """A character the terminal's encoding lacks is shown by its code instead of ending the run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(_overview())
        return 0
    if words[0] == "--version":
        print(f"suffrage {suffrage.__version__}")
        return 0
    verb = words[0]
    if verb not in VERBS:
        raise UserError(f"there is no verb {verb!r}; {nearest(verb, VERBS)}")
    module = importlib.import_module(f"suffrage.cli.{verb}")
    status: int = module.run(words[1:])
    return status


def _overview() -> str:
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:{width}}  {what}" for verb, what in VERBS.items())
    return (
        "usage: suffrage VERB ...\n\n"
        "Give people a vote in what a language model says.\n\n"
        f"{verbs}\n\n"
        "`suffrage VERB --help` explains a verb; every command takes --json."
    )
