"""Error sentences, cache keys and result files."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from suffrage.core.errors import (
    DataError,
    NumericalError,
    RunError,
    SuffrageError,
    UserError,
    nearest,
)
from suffrage.core.files import write_json
from suffrage.core.keys import content_key, path_key
from suffrage.core.results import Estimate, ModelStance, StanceResult, read_result, write_result


def test_an_error_names_file_and_row():
    assert str(DataError("is empty.", "a.json", 3)) == "a.json, row 3: is empty."
    assert str(DataError("is empty.", "a.json")) == "a.json: is empty."
    assert str(DataError("is empty.")) == "is empty."


def test_only_what_the_user_can_put_right_is_a_user_error():
    assert issubclass(RunError, UserError)
    assert issubclass(NumericalError, SuffrageError)
    assert not issubclass(NumericalError, UserError)


def test_a_name_close_to_a_known_one_is_suggested():
    assert nearest("rewrd", ["dpo", "reward"]) == "did you mean 'reward'?"
    assert nearest("dpp", ["ppo", "dpo", "sft"]) == "did you mean 'ppo' or 'dpo'?"
    assert nearest("zzz", ["b", "a"]) == "known: a, b."


def test_equal_values_have_equal_keys_and_others_do_not():
    assert content_key({"a": 1, "b": [2]}) == content_key({"b": [2], "a": 1})
    values = [
        (),
        (None,),
        ("",),
        ("a", "b"),
        ("ab",),
        (["a", "b"],),
        (1,),
        (1.5,),
        (True,),
        ("中",),
    ]
    assert len({content_key(*value) for value in values}) == len(values)
    with pytest.raises(ValueError, match="not JSON compliant"):
        content_key(float("nan"))


def test_the_key_of_a_folder_knows_its_files_names_and_bytes(tmp_path):
    folder = tmp_path / "a"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "one").write_bytes(b"1")
    keys = {path_key(folder)}
    (folder / "two").write_bytes(b"1")
    keys.add(path_key(folder))
    (folder / "two").write_bytes(b"2")
    keys.add(path_key(folder))
    (folder / "two").rename(folder / "three")
    keys.add(path_key(folder))
    assert len(keys) == 4
    folder.rename(tmp_path / "b")
    assert path_key(tmp_path / "b") in keys  # where it lies does not matter
    assert path_key(tmp_path / "b" / "three") != path_key(tmp_path / "b" / "sub" / "one")


def test_a_key_can_leave_out_a_name(tmp_path):
    (tmp_path / "weights").write_bytes(b"1")
    before = path_key(tmp_path)
    (tmp_path / "README.md").write_text("a card")
    assert path_key(tmp_path) != before
    assert path_key(tmp_path, skip=("README.md",)) == before


def test_a_large_folder_is_known_by_sizes_and_times(tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(b"12")
    os.utime(file, ns=(5, 5))
    keys = [path_key(tmp_path, large=1)]
    file.write_bytes(b"34")
    os.utime(file, ns=(5, 5))
    keys.append(path_key(tmp_path, large=1))
    os.utime(file, ns=(5, 6))
    keys.append(path_key(tmp_path, large=1))
    assert keys[0] == keys[1] != keys[2]
    assert path_key(tmp_path, large=2) not in keys  # small enough to be read


def test_a_result_makes_the_round_trip(tmp_path):
    share = Estimate(value=0.7, low=0.55, high=0.82, n=10, unit="prompts")
    undefined = Estimate(value=None, note="one value only")
    stance = ModelStance(
        model="dpo", shares={"support": share, "oppose": undefined}, prompts=10, samples=20
    )
    result = StanceResult(question="真人版好不好", models=(stance,))
    write_result(tmp_path / "stance.json", result)
    assert read_result(tmp_path / "stance.json") == result


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], r"is no result file \(result: None\)"),
        ({"result": "stanec"}, r"result: 'stanec'\); did you mean 'stance'\?"),
        ({"result": ["stance"]}, "is no result file"),
        ({"result": "stance", "models": []}, r"StanceResult.question: field required\."),
        ({"result": "stance", "question": "?", "models": [1]}, r"StanceResult\.models\.0: "),
    ],
)
def test_another_file_is_refused(tmp_path, value, reason):
    write_json(tmp_path / "a.json", value)
    with pytest.raises(DataError, match=r"a\.json: .*" + reason):
        read_result(tmp_path / "a.json")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak begins with the process")
def test_a_process_does_not_begin_with_its_parents_peak():
    code = (
        "import subprocess, sys; held = bytearray(400 << 20); "
        "subprocess.run([sys.executable, '-c', 'from suffrage.core.machine import "
        "peak_memory_mib; print(peak_memory_mib())'])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 5 < int(told.stdout) < 200
