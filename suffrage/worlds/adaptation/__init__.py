"""Questions about live-action adaptations, with answers whose stance and quality are known."""

from suffrage.worlds.adaptation.content import Stance, read_content
from suffrage.worlds.adaptation.grammar import Parse
from suffrage.worlds.adaptation.questions import Question
from suffrage.worlds.adaptation.raters import divided, panel, rater_utility
from suffrage.worlds.adaptation.world import LANGUAGES, World, load_world

__all__ = [
    "LANGUAGES",
    "Parse",
    "Question",
    "Stance",
    "World",
    "divided",
    "load_world",
    "panel",
    "rater_utility",
    "read_content",
]
