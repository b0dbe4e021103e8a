"""Metrics, tables and pictures."""

import math
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
from mlflow.utils.validation import _validate_metric_name

from ser_tune.metrics import METRICS
from ser_tune.resampling import UNKNOWN, Interval, Score, Scores
from ser_tune.tracking.run_metrics import draw_confusion, metric_names, score_metrics


@pytest.fixture
def scores() -> Scores:
    uar = Score(0.75, Interval(0.6, 0.9), 0.7, 0.1, {0: 1.0, 2: 0.5})
    return {"uar": uar, "wa": Score(0.8, UNKNOWN, 0.6, 0.2, {})}


def test_metrics_are_named_by_their_side_and_an_emotion_that_does_not_occur_has_none(scores: Scores) -> None:
    assert score_metrics(scores, ("anger", "fear", "joy"), "test") == {
        "test_uar": 0.75,
        "test_wa": 0.8,
        "test_uar_low": 0.6,
        "test_uar_high": 0.9,  # and WA's interval is not known
        "test_uar_fold_mean": 0.7,
        "test_uar_fold_std": 0.1,
        "test_wa_fold_mean": 0.6,
        "test_wa_fold_std": 0.2,
        "test_recall/anger": 1.0,
        "test_recall/joy": 0.5,
    }


UAR = METRICS.get("uar")
SAME_RECALL = replace(UAR, name="same_recall")
OTHER_RECALL = replace(UAR, name="other_recall", parts=lambda counts: counts[..., 0])


def test_parts_of_one_name_are_written_once_or_have_the_name_of_their_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {
        one.name: (EntryPoint(one.name, f"{__name__}:{one.name.upper()}", "ser_tune.metrics"),)
        for one in (SAME_RECALL, OTHER_RECALL)
    }
    monkeypatch.setattr("ser_tune.components._plugins", lambda group: points if group == "ser_tune.metrics" else {})
    scores = {
        name: Score(0.5, UNKNOWN, 0.5, 0.0, {0: part})
        for name, part in (("uar", 0.4), ("same_recall", 0.4), ("other_recall", 7.0))
    }
    stored = {name: value for name, value in score_metrics(scores, ["joy"], "test").items() if "/" in name}
    assert stored == {"test_recall/joy": 0.4, "test_other_recall_recall/joy": 7.0}


def test_a_number_that_is_not_defined_is_not_stored() -> None:
    scores = {"uar": Score(math.nan, UNKNOWN, math.nan, math.nan, {}), "wa": Score(-0.02, UNKNOWN, math.nan, 0.0, {})}
    assert score_metrics(scores, ["joy"], "test") == {"test_wa": -0.02, "test_wa_fold_std": 0.0}


@pytest.mark.parametrize(
    "labels",
    [
        ("😀", "😡", "😢"),
        ("a/b", "a_b", "a:b"),
        ("Joy", "joy"),
        ("怒り", "喜び", "悲しみ"),
        ("غضب", "فرح"),
        ("x" * 300, "x" * 299, "y"),
        ("+", "-", "="),
    ],
    ids=ascii,
)
def test_every_label_has_a_metric_of_its_own_that_mlflow_takes(labels: tuple[str, ...]) -> None:
    recalls = {number: number / 10 for number in range(len(labels))}
    scores = {"uar": Score(0.5, UNKNOWN, 0.5, 0.0, recalls), "wa": Score(0.5, UNKNOWN, 0.5, 0.0, {})}
    metrics = score_metrics(scores, labels, "validation")
    stored = {name: value for name, value in metrics.items() if "_recall/" in name}
    assert sorted(stored.values()) == sorted(recalls.values())
    assert len({name.casefold() for name in stored}) == len(labels)
    for name in stored:
        _validate_metric_name(name)


def test_a_label_keeps_its_metric_where_it_is_alone_with_it() -> None:
    assert metric_names(("fear/anxiety", "pleasant surprise", "joy")) == {
        "fear/anxiety": "fear_anxiety",
        "pleasant surprise": "pleasant surprise",
        "joy": "joy",
    }


@pytest.mark.parametrize("emotions", [("anger", "fear", "joy"), ("_怒り", "$غضب$", "\U0001fae0")], ids=ascii)
def test_a_confusion_matrix_can_be_drawn_where_a_class_does_not_occur(
    tmp_path: Path, emotions: tuple[str, ...]
) -> None:
    classes = np.array([0, 2])
    draw_confusion(tmp_path / "picture.png", classes, classes, emotions, "a $title% with signs")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
