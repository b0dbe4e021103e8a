"""Splits of dimensions: their predictions are scored, and claims are compared with the scores."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_tune.audit import read_claim
from ser_tune.errors import ConfigError

Call = Callable[..., Any]
TRUTH = {"ada": (1.0, 2.0, 3.0), "bob": (2.0, 4.0, 5.0), "cyd": (1.5, 3.5, 2.5)}
GUESS = {"ada": (1.2, 2.6, 2.4), "bob": (2.4, 3.6, 4.0), "cyd": (2.5, 3.0, 3.0)}


def concordance(truth: np.ndarray, predicted: np.ndarray) -> float:
    """The CCC as L. I.-K. Lin defines it."""
    spread = truth.var() + predicted.var() + (truth.mean() - predicted.mean()) ** 2
    return float(2 * np.mean((truth - truth.mean()) * (predicted - predicted.mean())) / spread)


def _write(folder: Path, **change: Any) -> Path:
    """Three speakers, each tested in a fold; arousal is rated and predicted, valence is the same backwards."""
    rows = [
        {
            "path": f"{speaker}_{number}.wav",
            "speaker": speaker,
            "fold": speaker,
            "arousal": truth,
            "target_valence": 6 - truth,
            "prediction_arousal": GUESS[speaker][number],
            "prediction_valence": 6 - GUESS[speaker][number] / 2,
        }
        | {name: value(number) for name, value in change.items()}
        for speaker, ratings in TRUTH.items()
        for number, truth in enumerate(ratings)
    ]
    table = folder / "split.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows([{name: value for name, value in row.items() if value is not None} for row in rows])
    return table


TRUE, GUESSED = (np.array([value for own in side.values() for value in own]) for side in (TRUTH, GUESS))
CORRELATION = np.corrcoef(TRUE, GUESSED)[0, 1]
AROUSAL, VALENCE = concordance(TRUE, GUESSED), concordance(6 - TRUE, 6 - GUESSED / 2)


def test_predicted_dimensions_are_scored_each_and_together(call: Call, tmp_path: Path) -> None:
    told = call(tmp_path, "audit", _write(tmp_path), "--format", "json")
    audit = json.loads(told.out)
    metrics = {name: score["value"] for name, score in audit["metrics"].items()}
    assert metrics["CCC:arousal"] == pytest.approx(AROUSAL)
    assert metrics["CCC"] == pytest.approx((AROUSAL + VALENCE) / 2)
    assert metrics["PCC:valence"] == pytest.approx(CORRELATION)
    assert metrics["MAE:arousal"] == pytest.approx(np.abs(TRUE - GUESSED).mean())
    assert metrics["RMSE:valence"] == pytest.approx(np.sqrt(np.mean((TRUE - GUESSED / 2) ** 2)))
    folds = [concordance(np.array(TRUTH[name]), np.array(GUESS[name])) for name in TRUTH]
    assert metrics["CCC:arousal-mean"] == pytest.approx(np.mean(folds))
    found = {finding["check"]: finding["status"] for finding in audit["findings"]}
    assert (audit["outcome"], found["labels"], found["classes"]) == ("ok", "ok", "unchecked")


@pytest.mark.parametrize(
    ("claim", "code", "verdict"),
    [
        (f"CCC:arousal={AROUSAL:.3f}", 0, f"{AROUSAL:.3f} is claimed as pooled CCC of arousal, and"),
        (f"ccc={50 * (AROUSAL + VALENCE):.1f}", 0, "is claimed as pooled CCC, and pooled CCC is"),
        (
            f"CCC:valence={CORRELATION:.4f}",
            1,
            "and equals pooled PCC and pooled PCC of arousal and",
        ),
        ("RMSE:arousal=3.75", 1, "equals no metric of the predictions"),
    ],
)
def test_claims_in_dimensions_are_recomputed(call: Call, tmp_path: Path, claim: str, code: int, verdict: str) -> None:
    told = call(tmp_path, "audit", _write(tmp_path), "--claim", claim)
    assert told.code == code
    assert verdict in told.out


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ("UAR=0.7", "--claim UAR: the predictions have no such score; they have CCC, PCC, MAE, RMSE, CCC:arousal, "),
        ("CCC:anger=0.7", "--claim CCC:anger: the predictions have no such score"),
        (
            "UAR:arousal=0.7",
            "--claim is 'UAR:arousal=0.7'; expected METRIC=NUMBER with UAR, WA, macro-F1, CCC, PCC, MAE,",
        ),
        ("MAE=70%", "--claim is 'MAE=70%'; expected METRIC=NUMBER"),
        ("CCC=140", "--claim is 'CCC=140'; expected METRIC=NUMBER"),
    ],
)
def test_a_claim_that_cannot_be_compared_ends_with_2(call: Call, tmp_path: Path, claim: str, message: str) -> None:
    call(tmp_path, "audit", _write(tmp_path), "--claim", claim).refused(message)


def test_tables_with_gaps_end_with_2(call: Call, tmp_path: Path) -> None:
    some = _write(tmp_path, prediction_arousal=lambda number: 1.0 if number else "")
    call(tmp_path, "audit", some).refused("3 of 9 test rows have no prediction of arousal, such as 'ada_0.wav'")
    word = _write(tmp_path, arousal=lambda number: "high")
    call(tmp_path, "audit", word).refused("'arousal' is 'high'; expected a number")
    other = _write(tmp_path, prediction_dominance=lambda number: 1.0)
    call(tmp_path, "audit", other).refused("test rows have predictions of dominance and no ratings; expected a column")


def test_two_ratings_of_a_recording_and_words_that_tell_the_rating_are_found(call: Call, tmp_path: Path) -> None:
    table = _write(tmp_path, text=lambda number: "abc"[number], arousal=lambda number: number + 1.0)
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([*lines, lines[1].replace("ada,1.0,", "ada,2.0,")]), encoding="utf-8")
    told = call(tmp_path, "audit", table)
    assert told.code == 1
    assert "ada_0.wav has 2 ratings of arousal" in told.out
    assert "text-only baseline: CCC" in told.out
    assert "the words tell the ratings" in told.out


def test_claims_in_per_cent_are_of_metrics_with_a_highest_value() -> None:
    assert (read_claim("macro_f1=35.7").metric, read_claim("macro_f1=35.7").value) == ("macro-F1", 0.357)
    assert (read_claim("MAE-mean=1.25").metric, read_claim("MAE-mean=1.25").value) == ("MAE-mean", 1.25)
    assert read_claim("CCC=-0.05").value == -0.05
    with pytest.raises(ConfigError, match="expected METRIC=NUMBER"):
        read_claim("CCC:=0.5")
