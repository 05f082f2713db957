"""A teacher's slip in the content file is one sentence that names the file and the cause."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from suffrage.core.errors import DataError
from suffrage.worlds import adaptation
from suffrage.worlds.adaptation import World, read_content

SHIPPED = Path(adaptation.__file__).parent


def altered(folder: Path, change: Callable[[dict[str, Any]], object], lang: str = "en") -> Path:
    value = yaml.safe_load((SHIPPED / f"{lang}.yaml").read_text(encoding="utf-8"))
    change(value)
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(value, allow_unicode=True), encoding="utf-8")
    return path


def test_an_edited_file_makes_a_world(tmp_path: Path) -> None:
    path = altered(tmp_path, lambda v: v["works"].append("Captain Tsubasa"))
    world = World(read_content(path), "en")
    assert any("Captain Tsubasa" in question for question, _ in world.corpus(2000, 0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v.pop("about"), "Content.about"),
        (lambda v: v.update(works=["Naruto"]), "Content.works"),
        (lambda v: v["claims"]["oppose"].append("I am against this film"), "names no work"),
        (lambda v: v["works"].append("Naruto"), "occurs twice"),
        (lambda v: v["closings"]["support"].append("I will wait and see"), "occurs twice"),
        (lambda v: v["closings"]["support"].append("Naruto will do well"), "names a title"),
        (lambda v: v["closings"]["support"].append("Yes. I will go"), "holds its own '.'"),
        (lambda v: v["questions"].append("Do you like {work}?"), "needs both"),
        (lambda v: v["aspects"]["music"].update(label="end"), "label 'end'"),
        (lambda v: v["cues"]["support"].update(fine=0), "cues.support.fine"),
        (lambda v: v.update(colour="red"), "colour"),
    ],
)
def test_slips_are_refused(tmp_path: Path, change: Callable[..., object], said: str) -> None:
    with pytest.raises(DataError) as caught:
        read_content(altered(tmp_path, change))
    assert said in str(caught.value)
    assert "mine.yaml" in str(caught.value)


def test_broken_yaml_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("about: what\nworks: [a, b\nmark: x\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"mine\.yaml, row 3: is not YAML"):
        read_content(path)
