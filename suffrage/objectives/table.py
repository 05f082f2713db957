"""One row a method: help texts, options, error messages, docs and tests all come from here.

A method's options are the keyword-only arguments of its function, on the command line, in a recipe
and in Python alike.
"""

from __future__ import annotations

from suffrage.core.errors import SettingsError, nearest
from suffrage.objectives.distributions import aot_loss, aot_unpaired_loss, exo_loss, nca_loss
from suffrage.objectives.labels import bco_loss, kto_loss
from suffrage.objectives.likelihood import conditional_loss, sft_loss
from suffrage.objectives.objective import Objective
from suffrage.objectives.online import (
    BestOfNOptions,
    GRPOOptions,
    OnlineDPOOptions,
    PPOOptions,
    RAFTOptions,
    ReinforceOptions,
    RLOOOptions,
)
from suffrage.objectives.ordinal import rating_loss
from suffrage.objectives.pairs import (
    discopop_loss,
    dpo_loss,
    hinge_loss,
    ipo_loss,
    lndpo_loss,
    robust_dpo_loss,
)
from suffrage.objectives.rankings import listwise_dpo_loss, pro_loss, rrhf_loss
from suffrage.objectives.raters import crowd_bt_loss
from suffrage.objectives.reference_free import cpo_loss, orpo_loss, simpo_loss, slic_loss
from suffrage.objectives.rewards import classifier_loss, plackett_luce_reward_loss, reward_loss

_ROWS = (
    Objective(
        "sft",
        "imitate demonstrations (supervised fine-tuning)",
        sft_loss,
        "demonstrations",
        "2203.02155",
    ),
    Objective(
        "reward",
        "learn a reward from pairs or rankings (Bradley-Terry)",
        reward_loss,
        "pairs",
        "2203.02155",
        learns="reward",
    ),
    Objective(
        "reward-ranking",
        "learn a reward from whole rankings (Plackett-Luce)",
        plackett_luce_reward_loss,
        "rankings",
        "2301.11270",
        learns="reward",
    ),
    Objective(
        "reward-label",
        "learn whether an answer is good; the classifier's logit is the reward",
        classifier_loss,
        "labels",
        "2110.14168",
        learns="reward",
    ),
    Objective(
        "reward-rating",
        "learn a reward from every rater's ratings or grades, whose steps it learns too",
        rating_loss,
        "ratings",
        "McCullagh, JRSS B 1980",
        learns="reward",
    ),
    Objective(
        "reward-raters",
        "learn a reward together with how reliable each rater is (Crowd-BT)",
        crowd_bt_loss,
        "votes",
        "Chen et al., WSDM 2013",
        learns="reward",
    ),
    Objective(
        "dpo",
        "prefer what raters prefer, without a reward model",
        dpo_loss,
        "pairs",
        "2305.18290",
        reference=True,
    ),
    Objective(
        "dpo-norm",
        "DPO on the mean log-probability of a token, which no length favours",
        lndpo_loss,
        "pairs",
        "2411.15124",
        reference=True,
    ),
    Objective(
        "robust-dpo",
        "DPO unbiased under a known share of flipped votes",
        robust_dpo_loss,
        "pairs",
        "2403.00409",
        reference=True,
    ),
    Objective(
        "ipo",
        "aim at a fixed margin, which certain votes cannot push without end",
        ipo_loss,
        "pairs",
        "2310.12036",
        reference=True,
    ),
    Objective(
        "hinge",
        "DPO's margin with a hinge: pairs that are far enough apart rest",
        hinge_loss,
        "pairs",
        "2305.10425",
        reference=True,
    ),
    Objective(
        "discopop",
        "a loss found by search: logistic and exponential, blended by the margin",
        discopop_loss,
        "pairs",
        "2406.08414",
        reference=True,
    ),
    Objective(
        "nca",
        "raise the chosen answer's own likelihood while the margin grows",
        nca_loss,
        "pairs",
        "2402.05369",
        reference=True,
    ),
    Objective(
        "exo",
        "match the raters' distribution by reverse KL, which seeks its mode",
        exo_loss,
        "pairs",
        "2402.00856",
        reference=True,
    ),
    Objective(
        "aot",
        "let the whole distribution of margins dominate the reference's",
        aot_loss,
        "pairs",
        "2406.05882",
        reference=True,
        whole_batch=True,
    ),
    Objective(
        "aot-unpaired",
        "let chosen answers dominate rejected ones as distributions",
        aot_unpaired_loss,
        "pairs",
        "2406.05882",
        reference=True,
        whole_batch=True,
    ),
    Objective(
        "orpo",
        "imitate the chosen answer and raise its odds, in one stage",
        orpo_loss,
        "pairs",
        "2403.07691",
    ),
    Objective(
        "simpo",
        "a margin between mean log-probabilities, without a reference",
        simpo_loss,
        "pairs",
        "2405.14734",
    ),
    Objective(
        "cpo",
        "DPO without a reference, with imitation in its place",
        cpo_loss,
        "pairs",
        "2401.08417",
    ),
    Objective(
        "slic",
        "a hinge between log-probabilities, with imitation",
        slic_loss,
        "pairs",
        "2305.10425",
    ),
    Objective(
        "kto",
        "learn from thumbs: gains and losses against what is usual",
        kto_loss,
        "labels",
        "2402.01306",
        reference=True,
        whole_batch=True,
        mismatched=True,
    ),
    Objective(
        "bco",
        "learn from thumbs: a classifier whose logit is the implicit reward",
        bco_loss,
        "labels",
        "2404.04656",
        reference=True,
        whole_batch=True,
    ),
    Objective(
        "rrhf",
        "rank answers by their likelihood as raters do, and imitate the best",
        rrhf_loss,
        "rankings",
        "2304.05302",
    ),
    Objective(
        "pro",
        "a ranking as a chain of choices, sharper where scores lie apart",
        pro_loss,
        "rankings",
        "2306.17492",
    ),
    Objective(
        "dpo-list",
        "DPO on whole rankings (Plackett-Luce)",
        listwise_dpo_loss,
        "rankings",
        "2305.18290",
        reference=True,
    ),
    Objective(
        "hindsight",
        "both answers after what raters thought of them; asked for a good one (Chain of Hindsight)",
        sft_loss,
        "comparisons",
        "2302.02676",
    ),
    Objective(
        "conditional",
        "imitate every answer after the name of its class; asked for a good one",
        conditional_loss,
        "classes",
        "2309.11235",
    ),
    Objective(
        "ppo",
        "sample, score with a reward model, improve, stay near the start (RLHF)",
        PPOOptions,
        "prompts",
        "1707.06347",
        reference=True,
    ),
    Objective(
        "rloo",
        "follow the reward, each sample against the prompt's others (REINFORCE leave-one-out)",
        RLOOOptions,
        "prompts",
        "2402.14740",
        reference=True,
    ),
    Objective(
        "grpo",
        "follow the reward relative to the prompt's samples, the anchor in the loss",
        GRPOOptions,
        "prompts",
        "2402.03300",
        reference=True,
    ),
    Objective(
        "reinforce",
        "follow the reward, each sample against the batch's others (policy gradient)",
        ReinforceOptions,
        "prompts",
        "2402.14740",
        reference=True,
    ),
    Objective(
        "raft",
        "sample, keep each prompt's best answer, imitate it, again (reward-ranked fine-tuning)",
        RAFTOptions,
        "prompts",
        "2304.06767",
    ),
    Objective(
        "best-of-n",
        "imitate the best of n answers of the model as given (rejection sampling)",
        BestOfNOptions,
        "prompts",
        "2307.09288",
    ),
    Objective(
        "online-dpo",
        "sample, let the reward order a pair, one step of DPO, again",
        OnlineDPOOptions,
        "prompts",
        "2402.04792",
        reference=True,
    ),
)
OBJECTIVES = {row.name: row for row in _ROWS}


def objective(name: str) -> Objective:
    """The row of this name; `SettingsError` with the nearest one otherwise."""
    if name not in OBJECTIVES:
        raise SettingsError(f"there is no method {name!r}; {nearest(name, OBJECTIVES)}")
    return OBJECTIVES[name]
