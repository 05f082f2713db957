"""What is written parses as what it is; what is damaged does not parse."""

from __future__ import annotations

import random
import unicodedata

import pytest

from suffrage.worlds.adaptation import World, load_world

ZH_QUESTION = "從選角來看，你支持《火影忍者》真人化嗎？"
EN_QUESTION = "Thinking about casting, do you support a live-action Naruto?"


@pytest.fixture(params=["zh", "en"])
def world(request: pytest.FixtureRequest) -> World:
    return load_world(request.param)


def pairs(world: World, n: int = 200) -> list[tuple[str, str]]:
    """Question and clean answer."""
    groups = world.demonstrations(n, seed=5)
    return [(group.prompt.text, group.completions[0].text) for group in groups]


@pytest.mark.parametrize(
    ("question", "answer", "stance", "aspects", "on_topic", "closing"),
    [
        (
            ZH_QUESTION,
            "我支持《火影忍者》真人化。好演員能讓角色更有血有肉。所以，這樣的改編值得期待。",
            "support",
            ("casting",),
            1,
            True,
        ),
        (
            ZH_QUESTION,
            "我反對《火影忍者》真人化。預算不足，場景看起來就很廉價。而且，選角一公布就容易引起爭議。",
            "oppose",
            ("budget", "casting"),
            1,
            False,
        ),
        (
            EN_QUESTION,
            "I am neutral about a live-action Naruto. Good effects put the audience inside the "
            "scene. However, cheap effects ruin the classic shots. I will wait and see.",
            "balanced",
            ("effects", "effects"),
            0,
            True,
        ),
        (
            EN_QUESTION,
            "I oppose a live-action Naruto. Real actors rarely look like the drawings. "
            "The crew may work very hard. But I say no to a live-action Naruto.",
            "oppose",
            ("casting",),
            1,
            True,
        ),
    ],
)
def test_answers_put_together_by_hand(
    question: str, answer: str, stance: str, aspects: tuple[str, ...], on_topic: int, closing: bool
) -> None:
    world = load_world("zh" if question == ZH_QUESTION else "en")
    found = world.parse(question, answer)
    assert found is not None
    assert (found.stance, found.aspects, found.on_topic, found.has_closing) == (
        stance,
        aspects,
        on_topic,
        closing,
    )


@pytest.mark.parametrize("stance", ["support", "oppose", "balanced"])
def test_the_stance_asked_for_is_the_stance_read(world: World, stance: str) -> None:
    rng = random.Random(2)
    for question in rng.sample(world.questions.training, 700):
        size = 2 if stance == "balanced" else rng.choice((1, 2, 3))
        aspects = [question.aspect] * size
        answer = world.grammar.compose(rng, stance, question.work, aspects)  # type: ignore[arg-type]
        found = world.parse(question.text, answer)
        assert found is not None, answer
        assert (found.stance, found.on_topic, found.arguments) == (stance, size, size)
        assert found.has_closing


def test_width_case_and_white_space_do_not_matter(world: World) -> None:
    for question, answer in pairs(world, 100):
        narrow = unicodedata.normalize("NFKC", answer)
        assert world.parse(question, f"  \n{narrow}\n") == world.parse(question, answer) is not None
    assert (
        load_world("zh").parse(
            "談到配樂，你看好《哆啦A夢》的真人版嗎？",
            "我支持《哆啦Ａ夢》真人化。新的配樂 很難超越經典主題曲。",
        )
        is None
    ), "an argument against does not support"
    assert load_world("zh").parse(
        "談到配樂，你看好《哆啦A夢》的真人版嗎？",
        " 我支持《哆啦Ａ夢》真人化。全新的配樂 能帶出澎湃的情緒。",
    )


def test_a_cut_answer_is_malformed(world: World) -> None:
    mark = world.content.mark
    for question, answer in pairs(world, 40):
        for end in range(1, len(answer)):
            whole_sentences = answer[:end].rstrip().endswith(mark)
            if not whole_sentences:
                assert world.parse(question, answer[:end]) is None, answer[:end]


def test_another_work_is_malformed(world: World) -> None:
    works = world.content.works
    for question, answer in pairs(world):
        asked = world.questions.find(question).work
        other = works[(works.index(asked) + 1) % len(works)]
        assert world.parse(question, answer.replace(asked, other)) is None
        assert world.parse(question, answer.replace(asked, "???")) is None


def test_damaged_order_and_repetition_are_malformed(world: World) -> None:
    mark = world.content.mark
    for question, answer in pairs(world):
        sentences = [part.strip() for part in answer.split(mark)][:-1]
        gap = " " if world.content.spaces else ""
        damaged = [
            [*sentences, sentences[1]],
            [sentences[0], *sentences],
            sentences[1:],
            sentences[:1],
            sentences[::-1],
            [*sentences, sentences[0][:4]],
        ]
        for wrong in damaged:
            assert world.parse(question, gap.join(part + mark for part in wrong)) is None, wrong


def test_mixed_stances_are_malformed(world: World) -> None:
    rng = random.Random(3)
    claims, closings = world.content.claims, world.content.closings
    for question in rng.sample(world.questions.training, 100):
        aspect = world.content.aspects[question.aspect]
        for claim, argument, closing in (
            (claims.support, aspect.oppose, closings.support),
            (claims.support, aspect.support, closings.oppose),
            (claims.oppose, aspect.oppose, closings.support),
            (claims.balanced, aspect.support, closings.balanced),
            (claims.support, aspect.support, closings.balanced),
        ):
            parts = [rng.choice(lines) for lines in (claim, argument, closing)]
            text = world.grammar.join(parts).replace("{work}", question.work)
            assert world.parse(question.text, text) is None, text


@pytest.mark.parametrize(
    "text", ["", " ", "。", ".", "asdf qwer", "我我我我。", "\x00", "支持。" * 50, "a" * 100_000]
)
def test_gibberish_is_malformed(world: World, text: str) -> None:
    question = world.questions.training[0].text
    assert world.parse(question, text) is None


def test_the_placeholder_for_titles_cannot_be_forged() -> None:
    parts = "我支持《{}》真人化。好演員能讓角色更有血有肉。《{}》的真人版值得一看。"
    world = load_world("zh")
    assert world.parse(ZH_QUESTION, parts.format("火影忍者", "火影忍者"))
    assert world.parse(ZH_QUESTION, parts.format("火影忍者", "\x00")) is None


def test_a_connector_must_fit() -> None:
    world = load_world("en")
    claim, first = (
        "I support a live-action Naruto.",
        "New actors often turn out to be a pleasant surprise.",
    )
    second = "familiar actors help the audience enter the story."
    assert world.parse(EN_QUESTION, f"{claim} {first} Also, {second}")
    assert world.parse(EN_QUESTION, f"{claim} {first} However, {second}") is None
    assert world.parse(EN_QUESTION, f"{claim} Also, {first}") is None
