"""Two populations of simulated raters for the embedded world, and how they value an answer."""

from __future__ import annotations

from suffrage.core.records import Completion, Group
from suffrage.label.simulate import SimulatedRater, Utility
from suffrage.worlds.adaptation.world import World

# name, behaviour, noise: a smaller noise is a keener eye
_PANEL = (
    ("Ana", "good", 0.5),
    ("Bo-Wei", "good", 0.8),
    ("Chia-Ling", "reversed", 0.6),
    ("Daniel", "good", 0.6),
    ("Emi", "good", 0.7),
    ("Fang-Yu", "careless", 0.6),
    ("Grace", "good", 0.5),
    ("Hsin-Yi", "good", 0.9),
    ("Ivan", "side", 0.6),
    ("Jia-Hao", "good", 0.6),
    ("Kenji", "good", 0.7),
)
_DIVIDED = (
    ("Lena", "supporters"),
    ("Mei-Hua", "opponents"),
    ("Noah", "supporters"),
    ("Olivia", "supporters"),
    ("Pei-Shan", "opponents"),
    ("Quentin", "supporters"),
    ("Rui", "supporters"),
    ("Shu-Fen", "opponents"),
    ("Tomas", "supporters"),
    ("Ursula", "opponents"),
    ("Ya-Ting", "supporters"),
)


def panel() -> list[SimulatedRater]:
    """Eight good raters, one careless, one reversed, one who keeps the order on the screen."""
    return [
        SimulatedRater(name=name, behaviour=behaviour, camp="supporters", noise=noise)
        for name, behaviour, noise in _PANEL
    ]


def divided() -> list[SimulatedRater]:
    """Seven who favour adaptations and four who are against: all careful, in true disagreement."""
    return [SimulatedRater(name=name, camp=camp) for name, camp in _DIVIDED]


def rater_utility(world: World) -> Utility:
    """What an answer is worth to a rater of this world, for `suffrage.label.simulate`."""

    def utility(group: Group, completion: Completion, rater: SimulatedRater) -> float:
        camp = rater.camp or "supporters"
        return world.utility(group.prompt.text, completion.text, camp)

    return utility
