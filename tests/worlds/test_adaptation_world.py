"""The world's texts: how many, how distinct, how long, and that nothing held out leaks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from suffrage.core.errors import DataError, SettingsError
from suffrage.worlds.adaptation import World, load_world


@pytest.fixture(params=["zh", "en"])
def world(request: pytest.FixtureRequest) -> World:
    return load_world(request.param)


def combinations(world: World, text: str) -> Iterator[tuple[str, str]]:
    """Every (work, aspect) a text touches, found by plain search for titles, labels, arguments."""
    folded = text.casefold()
    aspects = [
        name
        for name, aspect in world.content.aspects.items()
        if any(
            line.casefold() in folded for line in (aspect.label, *aspect.support, *aspect.oppose)
        )
    ]
    for work in world.content.works:
        if work.casefold() in folded:
            yield from ((work, aspect) for aspect in aspects)


def training_texts(world: World) -> Iterator[str]:
    for question, (answer,) in world.corpus(4000, seed=1):
        yield question + answer
    yield from world.passages(1000, seed=2)
    for group in world.demonstrations(500, seed=3):
        yield group.prompt.text + group.completions[0].text
    for prompt in world.prompts(600, seed=4):
        yield prompt.text
    for row in world.training_rows():
        yield row["prompt"] + row["support"] + row["oppose"]


def test_rows_have_the_stance_file_form(world: World) -> None:
    training, test = world.training_rows(), world.test_rows()
    assert [list(row) for row in training] == [["id", "prompt", "support", "oppose"]] * 50
    assert [list(row) for row in test] == [["id", "prompt"]] * 10
    assert len({row["prompt"] for row in training}) == 50
    for row in training:
        for stance in ("support", "oppose"):
            found = world.parse(row["prompt"], row[stance])
            assert found is not None
            assert (found.stance, found.has_closing) == (stance, True)
            assert found.on_topic == found.arguments
    tested = [next(combinations(world, row["prompt"])) for row in test]
    assert len({work for work, _ in tested}) == len({aspect for _, aspect in tested}) == 10


def test_nothing_held_out_leaks(world: World) -> None:
    tested = {pair for row in world.test_rows() for pair in combinations(world, row["prompt"])}
    assert len(tested) == 10
    later = {
        pair
        for prompt in world.heldout_prompts(300, 0)
        for pair in combinations(world, prompt.text)
    }
    seen = {pair for text in training_texts(world) for pair in combinations(world, text)}
    assert not seen & tested
    assert not seen & later
    assert {work for work, _ in seen} == set(world.content.works)
    assert {aspect for _, aspect in seen} == set(world.content.aspects)
    assert len(seen) == 40 * 12 * 4 / 5


def test_the_corpus_is_well_formed_mixed_and_a_little_rough(world: World) -> None:
    found = [world.parse(question, answer) for question, (answer,) in world.corpus(5000, seed=7)]
    parses = [parse for parse in found if parse is not None]
    assert len(parses) == 5000
    shares = Counter(parse.stance for parse in parses)
    # binomial standard errors are at most .007
    assert shares["support"] / 5000 == pytest.approx(0.45, abs=0.03)
    assert shares["oppose"] / 5000 == pytest.approx(0.45, abs=0.03)
    assert shares["balanced"] / 5000 == pytest.approx(0.1, abs=0.03)
    assert sum(not parse.has_closing for parse in parses) / 5000 == pytest.approx(0.2, abs=0.03)
    assert sum(parse.on_topic == 0 for parse in parses) / 5000 == pytest.approx(0.2, abs=0.03)


def test_answers_are_distinct_and_short(world: World) -> None:
    answers = [answer for _, (answer,) in world.corpus(6000, seed=8)]
    assert len(set(answers)) >= 5000
    lengths = [len(a.split()) if world.content.spaces else len(a) for a in answers]
    low, high = (25, 45) if world.content.spaces else (35, 75)
    assert low <= median(lengths) <= high
    assert sum(length > high for length in lengths) < 0.05 * len(lengths)


def test_demonstrations_are_clean_and_cover_all_stances(world: World) -> None:
    groups = world.demonstrations(400, seed=1)
    assert len({group.prompt.id for group in groups}) == 400
    stances = set()
    for group in groups:
        (answer,) = group.completions
        assert group.preference is not None
        assert group.preference.demonstrations == (0,)
        found = world.parse(group.prompt.text, answer.text)
        assert found is not None
        assert found.has_closing
        assert found.on_topic == found.arguments
        stances.add(found.stance)
    assert stances == {"support", "oppose", "balanced"}
    assert len(world.demonstrations(3100, seed=1)) == 3100


def test_everything_follows_from_the_seed(world: World) -> None:
    fresh = World(world.content, world.lang)
    assert fresh.corpus(50, 1) == world.corpus(50, 1) != world.corpus(50, 2)
    assert all(len(set(a)) > 1 for _, a in world.corpus(20, 1, answers=3))
    assert fresh.passages(20, 1) == world.passages(20, 1) != world.passages(20, 2)
    assert fresh.prompts(20, 1) == world.prompts(20, 1) != world.prompts(20, 2)
    assert fresh.heldout_prompts(20, 1) == world.heldout_prompts(20, 1)
    assert fresh.demonstrations(20, 1) == world.demonstrations(20, 1)
    assert fresh.training_rows() == world.training_rows()
    assert fresh.test_rows() == world.test_rows()


def test_prompts_are_conversations_of_one_turn(world: World) -> None:
    prompts = world.prompts(300, seed=1)
    assert len({prompt.text for prompt in prompts}) == len({prompt.id for prompt in prompts}) == 300
    for prompt in prompts:
        assert not isinstance(prompt.content, str)
        assert [turn.role for turn in prompt.content] == ["user"]
        question = world.questions.find(prompt.text)
        assert (question.work, question.aspect) == (prompt.meta["work"], prompt.meta["aspect"])
    tested = {row["prompt"] for row in world.test_rows()}
    assert not tested & {prompt.text for prompt in world.heldout_prompts(700, seed=1)}


def test_utility_puts_stance_first_then_quality() -> None:
    world = load_world("en")
    question = "Thinking about casting, do you support a live-action Naruto?"
    best = (
        "I support a live-action Naruto. New actors often turn out to be a pleasant surprise. "
        "So I will gladly buy a ticket."
    )
    off_topic = (
        "I support a live-action Naruto. Good effects put the audience inside the scene. "
        "So I will gladly buy a ticket."
    )
    no_closing = best.removesuffix(" So I will gladly buy a ticket.")
    worst_balanced = (
        "I am neutral about a live-action Naruto. Good effects put the audience inside the "
        "scene. However, cheap effects ruin the classic shots."
    )
    best_oppose = (
        "I oppose a live-action Naruto. Real actors rarely look like the drawings. "
        "I will not buy a ticket."
    )
    answers = (best, no_closing, off_topic, worst_balanced, best_oppose, best[:-9])
    assert [world.utility(question, a) for a in answers] == [5.5, 5.0, 4.5, 2.0, 1.5, -2.0]
    assert [world.utility(question, a, "opponents") for a in answers] == [
        1.5,
        1.0,
        0.5,
        2.0,
        5.5,
        -2.0,
    ]


def test_files_are_written(world: World, tmp_path: Path) -> None:
    world.write_files(tmp_path / "new")
    text = (tmp_path / "new" / "labelled_data.json").read_text(encoding="utf-8")
    assert json.loads(text) == world.training_rows()
    assert "\\u" not in text
    tests = json.loads((tmp_path / "new" / "test_prompt.json").read_text(encoding="utf-8"))
    assert tests == world.test_rows()


def test_wrong_requests_are_refused_in_one_sentence(world: World) -> None:
    with pytest.raises(SettingsError, match="did you mean 'zh'"):
        load_world("zhh")
    with pytest.raises(SettingsError, match="at most 3072"):
        world.prompts(4000, 0)
    with pytest.raises(DataError, match="What is the capital"):
        world.parse("What is the capital of France?", "Paris.")
    with pytest.raises(SettingsError, match="camp 'supporter'"):
        world.utility(world.test_rows()[0]["prompt"], "", "supporter")
