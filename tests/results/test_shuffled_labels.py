"""Labels that mean nothing: every score that is printed holds chance inside its interval."""

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow

CHANCE = 0.5
SOLVED = """
model: {name: linear_probe}
features: {name: opensmile, set: eGeMAPSv02}
protocol: {folds: none}
"""
NETWORK = """
model: {name: light_cnn, width: 0.1}
features: {name: logmelspec, n_mels: 32, hop_s: 0.01}
segments: {frames: 32}
training: {epochs: 3, batch_size: 8, precision: float32, device: cpu}
protocol: {folds: 4}
study: {confirm: 0.5}
"""


@pytest.fixture(scope="module")
def shuffled(make_corpus: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of eight speakers, whose labels are shuffled within each speaker."""
    table = make_corpus(tmp_path_factory.mktemp("shuffled") / "corpus", [f"speaker{n}" for n in range(8)])
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rng = np.random.default_rng(1)
    for start in range(0, len(rows), 4):
        own = [rows[start + n]["emotion"] for n in range(4)]
        for n, label in enumerate(rng.permutation(own)):
            rows[start + n]["emotion"] = str(label)
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return table


@pytest.fixture
def study(call: Callable[..., Any], root: Path, shuffled: Path, tmp_path: Path) -> Callable[..., Any]:
    """Run a study on the shuffled labels; returns its JSON."""

    def _study(content: str, *options: str) -> Any:
        file = tmp_path / "chance.yaml"
        file.write_text(content, encoding="utf-8")
        told = call(root, "study", file, "--corpus", "manifest", "--data", shuffled, "--json", *options)
        assert told.code == 0, told.err
        return json.loads(told.out)[0]

    return _study


def _holds(low: float, high: float) -> bool:
    return low <= CHANCE <= high


def _metric_holds(metrics: Mapping[str, float], name: str) -> bool:
    return _holds(metrics[f"{name}_uar_low"], metrics[f"{name}_uar_high"])


@pytest.mark.parametrize("content", [SOLVED, NETWORK], ids=["solved", "confirmed"])
def test_a_search_on_shuffled_labels_holds_chance(study: Callable[..., Any], content: str) -> None:
    found = study(content, "--trials", "10")
    for side in ("validation", "test"):
        assert _metric_holds(found["promotion"]["metrics"], side)
    selection = found["promotion"]["selection"]
    assert _holds(*selection["corrected_uar_interval"])
    assert selection["corrected_uar"] <= found["promotion"]["metrics"]["validation_uar"] + 0.02
    for rival in ("first", "median"):  # the search gained nothing
        low, high = selection[f"gain_over_{rival}_interval"]
        assert low <= 0 <= high


def test_a_nested_search_on_shuffled_labels_holds_chance(study: Callable[..., Any]) -> None:
    found = study(SOLVED, "--trials", "4", "--nested")
    assert _metric_holds(found["metrics"], "outer")
    low, high = found["optimism_interval"]
    assert low <= 0 <= high
