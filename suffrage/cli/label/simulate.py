"""`suffrage label simulate`: raters whose truth is known fill a project."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from suffrage.cli.arguments import SEED, parse, print_json, whole
from suffrage.cli.label.project import existing, label_parser
from suffrage.core.errors import DataError, SettingsError
from suffrage.label.answers import Utility
from suffrage.label.behaviours import BEHAVIOURS, SimulatedRater, read_population
from suffrage.label.fill import fill
from suffrage.label.simulate import write_population
from suffrage.label.store.contents import groups
from suffrage.label.store.database import Store
from suffrage.worlds.adaptation import World, load_world
from suffrage.worlds.adaptation.raters import divided, panel, rater_utility
from suffrage.worlds.adaptation.world import LANGUAGES

POPULATIONS = {"panel": panel, "divided": divided}
EVERYTHING = 1 << 62


def run(words: Sequence[str]) -> int:
    parser = label_parser("simulate")
    meanings = "; ".join(f"{name}: {kind.meaning}" for name, kind in BEHAVIOURS.items())
    parser.add_argument(
        "--raters",
        default="panel",
        help="panel (eight good, three odd), divided (two camps), or a population file whose "
        f"raters behave as {meanings}",
    )
    parser.add_argument(
        "--utility", help="MODULE:FUNCTION(group, completion, rater), 0 bad to 5.5; unset: our own"
    )
    parser.add_argument("--votes", type=whole(1), help="at most so many; unset: all there is to do")
    parser.add_argument("--truth", help="write who the raters truly are here")
    parser.add_argument("--seed", type=SEED, default=0, help="of what they say")
    args = parse(parser, words)
    store = existing(args)
    raters = _population(args.raters)
    utility = _named(args.utility) if args.utility else _of_world(store)
    if args.truth:
        write_population(Path(args.truth), raters)
    votes = fill(store, raters, utility, args.seed, args.votes or EVERYTHING)
    if args.json:
        print_json({"votes": votes, "raters": len(raters)})
    else:
        print(f"{votes} votes by {len(raters)} simulated raters")
    return 0


def _population(name: str) -> list[SimulatedRater]:
    return POPULATIONS[name]() if name in POPULATIONS else read_population(Path(name))


def _named(name: str) -> Utility:
    module, _, function = name.partition(":")
    sys.path.insert(0, "")  # a file beside the project, as `python -m` would find it
    try:
        return cast(Utility, getattr(importlib.import_module(module), function))
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(
            f"--utility {name} names no function ({error}); write MODULE:FUNCTION."
        ) from error


def _of_world(store: Store) -> Utility:
    """The truth of the embedded world, where all prompts are of one of its languages."""
    prompts = [group.prompt.text for group in groups(store)]
    for lang in LANGUAGES:
        world = load_world(lang)
        if prompts and all(_knows(world, text) for text in prompts):
            return rater_utility(world)
    raise SettingsError(
        "simulated raters know what is good only in the embedded world, and these prompts are "
        "others; name a function that knows by --utility MODULE:FUNCTION."
    )


def _knows(world: World, text: str) -> bool:
    try:
        world.questions.find(text)
    except DataError:
        return False
    return True
