"""`corpus check`, `study` and `audit` find the same near-identical recordings; test_evaluate.py has `evaluate`."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile


@pytest.mark.slow
def test_every_command_names_the_same_pair(
    call: Callable[..., Any], make_corpus: Callable[..., Path], root: Path
) -> None:
    table = make_corpus(root / "corpus", ("ada", "bob", "cyd", "dan"))
    sound, rate_hz = soundfile.read(table.with_name("ada_anger_0.wav"))
    soundfile.write(table.with_name("copy.flac"), np.pad(0.4 * sound[200:], 1000), rate_hz)
    with table.open("a", encoding="utf-8") as file:
        file.write("copy.flac,dan,anger\n")
    told = call(root, "corpus", "check", "manifest", "--data", table, "--json")
    assert told.code == 1, told.err
    assert (
        "nearly the same sound 2 times: ada_anger_0.wav (speaker ada, anger), copy.flac (speaker dan, anger)"
        in told.out
    )
    told = call(
        root, "study", "--model", "linear_probe", "--corpus", "manifest", "--data", table, "--features", "logspec"
    )
    assert told.code == 2
    sentence = " ".join(told.err.split())
    assert "'ada_anger_0.wav' (speaker ada" in sentence
    assert "'copy.flac' (speaker dan" in sentence
    assert "hold nearly the same sound" in sentence
    with table.open(encoding="utf-8", newline="") as file:
        rows = [{**row, "split": "test" if row["speaker"] == "dan" else "train"} for row in csv.DictReader(file)]
    with table.with_name("split.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    told = call(root, "audit", table.with_name("split.csv"), "--data", table.parent, "--format", "json")
    (found,) = [one for one in json.loads(told.out)["findings"] if one["check"] == "near-identical sound"]
    assert found["status"] == "leak"
    assert "ada_anger_0.wav (training) and copy.flac (test)" in found["verdict"]
