"""Whatever a user gets wrong: one sentence, exit code 2, nothing written, nothing changed."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
import torch

DPO = "train dpo --model m --out run --data "
SFT = "train sft --data pairs.jsonl --out run --model "
TRAIN = "train dpo --model m --data pairs.jsonl --out run "
PPO = "train ppo --model m --data prompts.json --out run "
GENERATE = "generate --model m --prompts prompts.json --out new.jsonl "
GOOD = {"prompt": "q? ", "chosen": "yes", "rejected": "no"}


def line(**changes: object) -> bytes:
    row = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


# a name, what is in the file, and the sentence (after its name) that says what is wrong
FILES = {
    "empty.jsonl": (b"", r": is empty; there is nothing to read\."),
    "blank.json": (b" \n \n", r": is empty"),
    "big5.jsonl": (
        line() + '{"prompt": "電影", "chosen": "好", "rejected": "壞"}'.encode("big5"),
        r", row 2: is not UTF-8 \(byte 0xb9\); save it as UTF-8, e\.g\. `iconv -f BIG5 -t UTF-8",
    ),
    "half.jsonl": (line() + b'{"prompt": \n', r", row 2: is not JSON \(.*column 12\); mend it\."),
    "half.json": (b'[{"prompt": "q"},\n', r": is not JSON \(.*line 2, column 1\); mend it"),
    "half.jsonl.gz": (gzip.compress(line() * 90)[:60], r": is a damaged gzip file \(.*; fetch it"),
    "half.parquet": (b"PAR1 and no more", r": is a damaged Parquet file \(.*; fetch it again\."),
    "utf16.jsonl": (
        line().decode().encode("utf-16"),
        r", row 1: is not UTF-8 \(byte 0xff\); save it as UTF-8, e\.g\. `iconv -f UTF-16 -t UTF-8",
    ),
    "binary.jsonl": (bytes(range(256)), r", row 2: is not UTF-8 \(byte 0x80\)"),
    "other.csv": (
        b"a,b\n1,2\n",
        r": is in no format Suffrage reads \(row 2: fields 'a', 'b'\); re",
    ),
    "equal.jsonl": (
        line(chosen="no") + line(chosen=" no "),
        r": .* none of its 2 rows can be used \(row 1: chosen equals rejected; row 2: chosen eq",
    ),
    "number.jsonl": (line(chosen=3), r": .*\(row 1: chosen is a number, not text\); mend them\."),
    "long.jsonl": (
        line() + line(prompt="ab " * 99),
        r", row 2: prompt '\w+' is too long: the prompt alone takes 198 tokens and the limit is 128"
        r"; pass --overlong skip to leave such rows out, or --overlong cut\.",
    ),
    "prompts.jsonl": (line(chosen=None, rejected=None), r": holds prompts only, which is nothing"),
}


@pytest.fixture
def refused(suffrage, home, contents):
    """Run a command that must fail, and return its one sentence."""

    def run(*words: str) -> str:
        before = contents(home)
        status, out, err = suffrage(*words)
        assert (status, out) == (2, ""), err
        assert err.startswith("suffrage: ")
        assert err.endswith((".\n", "?\n"))
        assert err.count("\n") == 1
        assert "Traceback" not in err
        assert contents(home) == before
        return err.removeprefix("suffrage: ")

    return run


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_used_is_named_with_its_row(refused, home, name):
    content, sentence = FILES[name]
    (home / name).write_bytes(content)
    assert re.match(name.replace(".", r"\.") + sentence, refused(DPO + name))


@pytest.mark.parametrize("encoding", ["utf-16", "big5"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("raters.json", '{"note": "電影", "result": "raters"}'),
        ("groups.jsonl", '{"prompt": {"id": "p", "content": "電影"}}'),
        ("other.json", '["電影"]'),
    ],
)
def test_a_file_in_another_encoding_given_to_report(refused, home, encoding, name, text):
    (home / name).write_bytes(text.encode(encoding))
    sentence = (
        f"{name}, row 1: is not UTF-8 .*; save it as UTF-8, e.g. `iconv -f {encoding.upper()}"
    )
    assert re.match(sentence, refused(f"report {name}"))


def test_a_result_in_utf_16_is_not_passed_over_in_a_folder(refused, home):
    (home / "all").mkdir()
    (home / "all" / "raters.json").write_text('{"result": "raters"}', encoding="utf-16")
    assert re.match(r"all/raters\.json, row 1: is not UTF-8", refused("report all"))


def test_a_picture_given_to_report_is_no_matter_of_encoding(refused, home):
    (home / "a.png").write_bytes(b"\x89PNG\xff")
    assert re.match(r"a\.png: is nothing a report shows", refused("report a.png"))


def test_rows_without_a_field_are_refused_by_number_and_the_others_kept(suffrage, home):
    (home / "some.jsonl").write_bytes(line() + line(rejected=None) + line(chosen="no"))
    status, out, _ = suffrage(DPO + "some.jsonl")
    assert status == 0
    assert "some.jsonl: TRL preference, 1 of 3 rows kept, 2 refused\n" in out
    assert "1: has no rejected (row 2)\n" in out
    assert "1: chosen equals rejected (row 3)\n" in out


def test_a_file_of_mixed_formats_says_which_rows_are_others(suffrage, home):
    other = json.dumps({"instruction": "x", "output": "y"}).encode() + b"\n"
    (home / "mixed.jsonl").write_bytes(line() + line(prompt="r? ") + other)
    assert "1: looks like Alpaca among TRL preference (row 3)" in suffrage(DPO + "mixed.jsonl").out


def spoil(folder: Path, name: str, content: bytes | None) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("config.json", None, r"m is no model folder \(it has no config\.json\); name a folder"),
        ("config.json", b"{", r"m holds no model that can be loaded \(.*; copy or download"),
        ("config.json", b'{"model_type": "nope"}', r"m holds no model that can be loaded \(.*nope"),
        ("config.json", b'{"model_type": "llama", "hidden_size": "x"}', "m holds no model that"),
        ("model.safetensors", None, "m holds no model that can be loaded"),
        ("model.safetensors", b"1234567890", "m holds no model that can be loaded"),
        ("tokenizer.json", b"{}", "m holds no tokenizer that can be loaded"),
    ],
)
def test_a_damaged_model_folder(refused, home, name, content, sentence):
    spoil(home / "m", name, content)
    assert re.match(sentence, refused(SFT + "m"))


def test_weights_of_another_size(refused, home):
    config = json.loads((home / "m" / "config.json").read_text())
    (home / "m" / "config.json").write_text(json.dumps({**config, "vocab_size": 300}))
    said = refused(SFT + "m")
    assert re.match(
        r"m holds \S+ of shape \[265, 16\] where its config\.json asks for \[300, 16", said
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            SFT + "nowhere",
            "nowhere is no folder here, and the Hugging Face hub did not give it; ch",
        ),
        (SFT + "not/a/model", r"not/a/model: no such folder; check the path\."),
        (SFT + "pairs.jsonl", r"pairs\.jsonl is no model folder"),
        (SFT + "rm", "rm is a reward model, which writes no text; name a language model"),
        (DPO + "nowhere.jsonl", r"nowhere\.jsonl: no such file; check the path\."),
        (DPO + "m", r"m/config\.json: |m: "),
        (TRAIN + "--eval-data nowhere.jsonl", r"nowhere\.jsonl: no such file"),
        (PPO, "ppo needs --reward, a reward model; train one with `suffrage train reward`"),
        (PPO + "--reward m", "m is no reward model .*; train one with `suffrage train reward`"),
        (PPO + "--reward rm --max-new-tokens 128", "128 new tokens leave no room for a prompt"),
        ("agree pairs.jsonl", r"pairs\.jsonl: holds no judgments; collect some first"),
        ("agree pairs.jsonl --out pairs.jsonl", r"pairs\.jsonl is what this command reads; choose"),
        ("report m", "m: nothing here that a report shows"),
        ("report nowhere", r"nowhere: no such file or folder; check the path\."),
        (
            "report m --out m/config.json",
            r"--out is 'm/config\.json'; name a page that ends in .ht",
        ),
        (GENERATE + "--prompts nowhere.json", r"nowhere\.json: no such file"),
        (GENERATE + "--out prompts.json", r"prompts\.json holds one answer of each of two models"),
        (GENERATE + "--model m --out prompts.json", r"prompts\.json is what this command reads"),
        (GENERATE + "--out m", "m is a folder; name a file to write"),
        (GENERATE + "--out pairs.jsonl/f.jsonl", r"pairs\.jsonl/f\.jsonl: cannot be written"),
        (
            GENERATE + "--prompts pairs.jsonl --max-new-tokens 9 --model nowhere",
            "nowhere is no fold",
        ),
        ("train dop", r"there is no method 'dop'; did you mean 'dpo'\?"),
        ("tarin dpo", r"there is no verb 'tarin'; did you mean 'train'\?"),
    ],
)
def test_a_name_that_leads_nowhere_good(refused, words, sentence):
    assert re.match(sentence, refused(words))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (TRAIN + "--bta 1", r"suffrage train dpo has no option '--bta'; did you mean '--beta'\?"),
        (TRAIN + "--bta=1", r"suffrage train dpo has no option '--bta'; did you mean '--beta'\?"),
        (TRAIN + "--beta x", r"--beta: 'x' is no number; see `suffrage train dpo --help`\."),
        (TRAIN + "--beta", r"--beta: expected one argument; see `suffrage train dpo --help`\."),
        (TRAIN + "--beta -1", r"--beta of dpo is -1\.0; it must be a number above 0\."),
        (TRAIN + "--beta 0", r"--beta of dpo is 0\.0; it must be a number above 0\."),
        (TRAIN + "--beta nan", r"--beta of dpo is nan; it must be a number above 0\."),
        (TRAIN + "--label-smoothing 2", r"--label-smoothing of dpo is 2\.0; .* and at most 0\.5\."),
        (TRAIN + "--support-ratio 1.2", r"--support-ratio is 1\.2; it must be at most 1"),
        (TRAIN + "--support-ratio .5", r"support_ratio is for stance files, and pairs\.jsonl was"),
        (TRAIN + "--epochs 0", r"--epochs is 0\.0; it must be more than 0"),
        (TRAIN + "--batch-size 1.5", r"--batch-size: '1\.5' is no whole number; see"),
        (
            TRAIN + "--data-size 99",
            r"pairs\.jsonl: holds fewer rows than data_size 99 asks for: 12",
        ),
        (TRAIN + "--seed -1", r"--seed is -1; it must be at least 0\."),
        (TRAIN + "--lr inf", r"--lr is inf; it must be a finite number\."),
        (
            TRAIN + "--holdout .01",
            r"--holdout 0\.01 of 12 prompts leaves one side empty; choose an",
        ),
        (TRAIN + "--schedule steep", "--schedule: invalid choice: 'steep'"),
        (TRAIN + "stray", "suffrage train dpo has no use for 'stray'; see"),
        ("train dpo --model m", "the following arguments are required: --data, --out; see"),
        (
            PPO + "--reward rm --temperature 0",
            r"--temperature of ppo is 0\.0; it must be a number a",
        ),
        (
            PPO + "--reward rm --samples 0",
            r"--samples of ppo is 0; it must be a whole number at lea",
        ),
        (PPO + "--reward rm --gamma 2", r"--gamma of ppo is 2\.0; .* above 0 and at most 1\."),
        (GENERATE + "-n 0", "-n: 0 is less than 1; see `suffrage generate --help`"),
        (GENERATE + "--top-p 0", r"temperature 0\.7 and top_p 0\.0: .* above 0 and at most 1\."),
        (GENERATE + "--temperature nan", "temperature nan and top_p 1"),
        (GENERATE + "--seed -1", "--seed: -1 is less than 0"),
        (
            GENERATE + "--modle m",
            r"suffrage generate has no option '--modle'; did you mean '--model",
        ),
        ("demo --lang fr", "--lang: invalid choice: 'fr'"),
        ("demo --seed x", "--seed: 'x' is no whole number"),
        ("demo --out pairs.jsonl", r"pairs\.jsonl exists and holds no demo; choose another --out"),
    ],
)
def test_an_option_that_does_not_fit(refused, words, sentence):
    assert re.match(sentence, refused(words))


@pytest.mark.parametrize(
    ("words", "out"),
    [
        ("generate --model nowhere --prompts nowhere.jsonl --out", "old.jsonl"),
        ("generate --model nowhere --model m --prompts nowhere.jsonl --out", "old.json"),
        ("agree nowhere.jsonl --out", "old.json"),
        ("agree nowhere.jsonl --consensus", "old.jsonl"),
        ("report nowhere --out", "old.html"),
    ],
)
def test_what_is_there_is_kept_and_that_is_said_before_any_work(refused, home, words, out):
    (home / out).write_text("years of work")
    kept = f"{out} exists; pass --overwrite to replace it, or name another file.\n"
    assert refused(f"{words} {out}") == kept
    assert re.match("nowhere", refused(f"{words} {out} --overwrite"))  # and it stays as it was


def test_the_page_that_report_writes_unasked_is_kept_as_well(refused, home):
    (home / "report.html").write_text("years of work")
    assert re.match(r"report\.html exists; pass --overwrite", refused("report nowhere"))


def test_overwrite_replaces_the_whole_file_but_never_what_is_read(suffrage, refused, home):
    (home / "g.jsonl").write_text("years of work\n" * 999)
    words = GENERATE.replace("new.jsonl", "g.jsonl") + "--max-new-tokens 3 --overwrite"
    assert suffrage(words).status == 0
    rows = [json.loads(row) for row in (home / "g.jsonl").read_text().splitlines()]
    assert [row["prompt"]["id"] for row in rows] == ["7", "q-3", "5"]
    said = refused("agree g.jsonl --consensus g.jsonl --overwrite")
    assert re.match(r"g\.jsonl is what this command reads; choose another file", said)


def test_a_device_that_is_not_there(refused, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for words in (GENERATE, TRAIN):
        said = refused(words + "--device cuda")
        assert re.match("this machine or its torch has no cuda; leave --device out to take", said)


def test_rows_to_evaluate_on_that_cannot_be_used(refused, home):
    (home / "long.jsonl").write_bytes(line(prompt="ab " * 99))
    assert refused(TRAIN + "--eval-data long.jsonl --overlong skip") == (
        "no held-out row is left to evaluate on: 1 rows left out: longer than 128 tokens; give "
        "dpo another --eval-data.\n"
    )


def test_an_output_folder_that_holds_another_run(suffrage, refused):
    assert suffrage(TRAIN).status == 0
    said = refused(TRAIN + "--seed 5")
    assert re.match(
        r"run holds another run \(seed is 0 there and 5 here\); choose another --out", said
    )


def test_an_output_folder_that_holds_something_else(refused, home):
    (home / "run").mkdir()
    (home / "run" / "thesis.tex").write_text("years of work")
    assert refused(TRAIN) == "run exists and is no run directory; choose another --out.\n"


@pytest.mark.parametrize("changed", ["data", "model", "eval_data"])
def test_a_run_on_other_contents_of_the_same_name_is_another_run(suffrage, refused, home, changed):
    (home / "held.jsonl").write_bytes(line())
    words = TRAIN + "--eval-data held.jsonl"
    assert suffrage(words).status == 0
    assert "already finished" in suffrage(words).out
    (home / "m" / "README.md").write_text("a card changes nothing")
    assert "already finished" in suffrage(words).out
    if changed == "model":
        weights = bytearray((home / "m" / "model.safetensors").read_bytes())
        weights[-1] ^= 1
        (home / "m" / "model.safetensors").write_bytes(weights)
    else:
        file = home / {"data": "pairs.jsonl", "eval_data": "held.jsonl"}[changed]
        file.write_bytes(file.read_bytes() + line(prompt="one more? "))
    option = "--" + changed.replace("_", "-")
    assert re.match(
        rf"run holds another run \(what {option} names has changed since", refused(words)
    )


def test_a_hostile_name_cannot_drive_the_terminal(refused):
    assert "\x1b" not in refused("report", "\x1b[2Jgone")
