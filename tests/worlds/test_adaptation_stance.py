"""The stance classifier: exact on the grammar's answers, sensible on people's own words."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from suffrage.worlds.adaptation import World, load_world
from suffrage.worlds.adaptation.stance import Evidence, StanceClassifier, decide

FREESTYLE = yaml.safe_load((Path(__file__).parent / "freestyle.yaml").read_text(encoding="utf-8"))
OPPOSITE = {"support": "oppose", "oppose": "support"}


@pytest.fixture(params=["zh", "en"])
def world(request: pytest.FixtureRequest) -> World:
    return load_world(request.param)


def test_exact_on_generated_answers(world: World) -> None:
    for question, (answer,) in world.corpus(5000, seed=11):
        found = world.parse(question, answer)
        assert found is not None
        assert world.stance(answer) == found.stance, answer


def test_phrases_alone_nearly_suffice(world: World) -> None:
    """With the grammar's own sentences unknown to it, the classifier rests on phrases only."""
    by_words = StanceClassifier(world.content.cues, world.grammar, known_sentences=False)
    corpus = world.corpus(2000, seed=12)
    right = [by_words(a) == world.grammar.parse(*_asked(world, q), a).stance for q, (a,) in corpus]  # type: ignore[union-attr]
    assert sum(right) / len(right) > 0.98


def _asked(world: World, question: str) -> tuple[str, str]:
    return world.questions.find(question).combination


@pytest.mark.parametrize(("part", "least", "share"), [("tuned", 90, 0.9), ("fresh", 16, 0.75)])
def test_hand_written_answers(world: World, part: str, least: int, share: float) -> None:
    texts = [(text, want) for want, rows in FREESTYLE[world.lang][part].items() for text in rows]
    assert len(texts) >= least
    verdicts = [(world.stance(text), want) for text, want in texts]
    assert sum(got == want for got, want in verdicts) / len(texts) >= share
    reversed_ = sum(got == OPPOSITE.get(want) for got, want in verdicts)
    assert reversed_ <= (0 if part == "fresh" else 0.04 * len(texts))


@pytest.mark.parametrize(
    ("lang", "text", "verdict"),
    [
        ("zh", "我支持", "support"),
        ("zh", "我不支持", "oppose"),
        ("zh", "我並不反對", "support"),
        ("zh", "沒有理由不支持", "support"),
        ("zh", "反對者很多，但我支持。", "support"),
        ("zh", "不只支持，還很期待", "support"),
        ("zh", "既不支持也不反對", "balanced"),
        ("zh", "真人版不但精彩，也很感動", "support"),
        ("zh", "無法一概而論", "balanced"),
        ("zh", "", "unclear"),
        ("zh", "支持《進擊的巨人》 ", "support"),
        ("en", "I support it", "support"),
        ("en", "I don't support it", "oppose"),
        ("en", "I am NOT against it", "support"),
        ("en", "Although I oppose most remakes, I support this one.", "support"),
        ("en", "Supporters are many, yet I oppose it.", "oppose"),
        ("en", "No doubt it is a good idea", "support"),
        ("en", "A live-action Hikaru no Go is a very good idea!", "support"),
        ("en", "I can’t wait", "support"),
        ("en", "\n", "unclear"),
    ],
)
def test_negation_concession_and_masking(lang: str, text: str, verdict: str) -> None:
    assert load_world(lang).stance(text) == verdict


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_has_a_verdict(text: str) -> None:
    for lang in ("zh", "en"):
        verdict = load_world(lang).stance(text)
        assert verdict in ("support", "oppose", "balanced", "unclear")
        assert load_world(lang).stance(f" {text}\t") == verdict


def test_decision_rule() -> None:
    def verdict(support: float, oppose: float, balanced: float) -> str:
        return decide(
            [
                Evidence("a", "support", support),
                Evidence("b", "oppose", oppose),
                Evidence("c", "balanced", balanced),
            ]
        )

    assert verdict(1, 0, 0) == "unclear"
    assert verdict(1.2, 0, 0) == "support"
    assert verdict(1, 3, 0) == "oppose"
    assert verdict(5, 4, 0) == "balanced"  # a lead of 1 in 9
    assert verdict(7, 4, 0) == "support"  # a lead of 3 in 11
    assert verdict(3, 1, 2.5) == "balanced"
    assert verdict(0, 0, 2) == "balanced"
