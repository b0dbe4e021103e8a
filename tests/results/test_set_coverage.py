"""`evaluate --error-rate`: the measured error rate of prediction sets."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ser_tune.corpora import LabelMapping, Utterance
from ser_tune.errors import ConfigError
from ser_tune.folds import never_seen
from ser_tune.results import measure_sets, set_coverage
from ser_tune.tasks import TASKS, PredictionSets, calibrate_sets
from ser_tune.tracking import Predictions
from tests.made_corpora import made_corpus

NAMES = ("anger", "joy", "sadness")
RNG = np.random.default_rng(0)
SPEAKERS = np.repeat(np.arange(8), 12)
TRUTH = RNG.integers(0, 3, len(SPEAKERS))
LOGITS = (
    RNG.normal(0, 1, (len(SPEAKERS), 3)) + 2 * np.eye(3)[TRUTH] - RNG.normal(0, 1, 8)[SPEAKERS, None] * np.eye(3)[TRUTH]
)
SHOWN = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)


def _setup(shared: tuple[str, ...] = NAMES, **more: Any) -> Any:
    kept = np.isin(TRUTH, [NAMES.index(name) for name in shared])
    unused = tuple(name for name in NAMES if name not in shared)
    truth = np.array([shared.index(NAMES[number]) for number in TRUTH[kept]])
    mapping = LabelMapping(dict.fromkeys(shared), (), NAMES, shared, unused)  # type: ignore[arg-type]
    utterances = [SimpleNamespace(speaker=f"s{number}") for number in SPEAKERS[kept]]
    defaults = {"of_own_folds": False, "version": object(), "run": None, "model": "m/1", "held_out_with": {}}
    return kept, SimpleNamespace(
        task=TASKS.get("classification"),
        mapping=mapping,
        shared=shared,
        matched=SimpleNamespace(truth=truth),
        utterances=utterances,
        **(defaults | more),
    )


def _measured(monkeypatch: pytest.MonkeyPatch, sets: PredictionSets, shared: tuple[str, ...] = NAMES) -> Any:
    kept, setup = _setup(shared)
    monkeypatch.setattr(set_coverage, "version_folder", lambda version: Path("nowhere"))
    monkeypatch.setattr(set_coverage, "prediction_sets_of", lambda folder: sets)
    groups = {"speaker": [utterance.speaker for utterance in setup.utterances]}
    return measure_sets(None, setup, np.log(SHOWN[kept]), error_rate=0.2, groups=groups)  # type: ignore[arg-type]


def test_errors_and_sizes_are_those_of_the_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = calibrate_sets("classes", SHOWN, TRUTH, SPEAKERS)
    assert sets is not None
    found = _measured(monkeypatch, sets)
    inside = sets.at(0.2).inside(SHOWN)
    missed = ~inside[np.arange(len(TRUTH)), TRUTH]
    assert found.error.scores["set_error"].value == pytest.approx(missed.mean())
    assert found.error.scores["set_error"].interval.known
    assert found.sizes[""] == pytest.approx(inside.sum(axis=1).mean())
    single = inside.sum(axis=1) == 1
    assert (found.decided, found.wrong) == pytest.approx((single.mean(), missed[single].mean()))
    by_speaker = [group.scores["set_error"].value for group in found.groups["speaker"]]
    assert by_speaker == pytest.approx([missed[number == SPEAKERS].mean() for number in range(8)])
    assert found.calibration.endswith("who are of other recordings")


def test_the_classes_of_a_set_are_all_of_the_model_s_also_where_the_corpus_has_fewer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sets = calibrate_sets("classes", SHOWN, TRUTH, SPEAKERS)
    assert sets is not None
    found, own = _measured(monkeypatch, sets, ("joy", "sadness")), TRUTH > 0
    inside = sets.at(0.2).inside(SHOWN[own])
    assert found.sizes[""] == pytest.approx(inside.sum(axis=1).mean())
    assert found.error.scores["set_error"].value == pytest.approx(1 - inside[np.arange(own.sum()), TRUTH[own]].mean())


def test_own_speakers_are_judged_by_the_sets_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    _, setup = _setup(of_own_folds=True)
    names = tuple(f"s{number}" for number in SPEAKERS)
    stored = Predictions(setup.task, NAMES, names, names, TRUTH, TRUTH, SHOWN)
    monkeypatch.setattr(set_coverage, "read_predictions", lambda *of: stored)
    found = measure_sets(None, setup, np.log(SHOWN), error_rate=0.2, groups={})  # type: ignore[arg-type]
    missed = np.zeros(len(TRUTH))
    for number in range(8):
        own = number == SPEAKERS
        others = calibrate_sets("classes", SHOWN[~own], TRUTH[~own], SPEAKERS[~own])
        assert others is not None
        missed[own] = ~others.at(0.2).covers(SHOWN[own], TRUTH[own])[:, 0]
    assert found.error.scores["set_error"].value == pytest.approx(missed.mean())
    monkeypatch.setattr(set_coverage, "read_predictions", lambda *of: None)
    with pytest.raises(ConfigError, match="no validation predictions"):
        measure_sets(None, setup, np.log(SHOWN), error_rate=0.2, groups={})  # type: ignore[arg-type]


def test_corpora_that_were_held_out_are_judged_by_the_sets_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    names = tuple(f"s{number}" for number in SPEAKERS)
    halves = [frozenset(names[: len(names) // 2]), frozenset(names[len(names) // 2 :])]
    _, setup = _setup(of_own_folds=True, held_out_with={name: half for half in halves for name in half})
    stored = Predictions(setup.task, NAMES, names, names, TRUTH, TRUTH, SHOWN)
    monkeypatch.setattr(set_coverage, "read_predictions", lambda *of: stored)
    found = measure_sets(None, setup, np.log(SHOWN), error_rate=0.3, groups={})  # type: ignore[arg-type]
    missed = np.zeros(len(TRUTH))
    for half in halves:
        own = np.isin(names, sorted(half))
        others = calibrate_sets("classes", SHOWN[~own], TRUTH[~own], SPEAKERS[~own])
        assert others is not None
        missed[own] = ~others.at(0.3).covers(SHOWN[own], TRUTH[own])[:, 0]
    assert found.error.scores["set_error"].value == pytest.approx(missed.mean())
    assert found.calibration == set_coverage.APART


@pytest.mark.parametrize("unseen", [[("a:",), ("b:",)], [("a:s0",), ("a:s1",), ("b:s0", "b:s1")]])
def test_each_search_of_a_nested_study_calibrates_for_the_speakers_that_it_never_saw(
    monkeypatch: pytest.MonkeyPatch, unseen: list[tuple[str, ...]]
) -> None:
    spoken = [(label, speaker, emotion) for label in "ab" for speaker in ("s0", "s1") for emotion in NAMES[:2]]
    corpus = made_corpus(
        [
            Utterance(f"{number}", Path("x"), f"{label}:{speaker}", emotion, corpus=label)
            for number, (label, speaker, emotion) in enumerate(spoken)
        ]
    )
    monkeypatch.setattr(set_coverage, "nested_runs", lambda *of: [(part, part) for part in unseen])
    monkeypatch.setattr(set_coverage, "read_predictions", lambda workspace, run, side: run)
    numbers = np.concatenate([never_seen(corpus, part) for part in unseen])
    kept = numbers[np.random.default_rng(0).random(len(numbers)) < 0.7]
    setup: Any = SimpleNamespace(model="m", networks=SimpleNamespace(corpus=corpus, numbers=kept))
    found = list(set_coverage._searches(None, setup))  # type: ignore[arg-type]
    assert sorted(np.concatenate([rows for rows, _ in found]).tolist()) == list(range(len(kept)))
    for rows, part in found:
        assert set(kept[rows]) <= set(never_seen(corpus, part))  # type: ignore[arg-type]


@pytest.mark.slow
def test_predict_and_evaluate_state_the_error_rate(finished_copy: Any, call: Callable[..., Any]) -> None:
    model, sound = "ser-manifest-alex_net", finished_copy.csv.with_name("ada_anger_0.wav")
    told = call(finished_copy.root, "predict", model, sound, "--error-rate", "0.5", "--json")
    (row,) = json.loads(told.out)
    members = [] if row["prediction_set"] == "none" else row["prediction_set"].split("|")
    assert set(members) <= {"anger", "joy"}
    assert row["emotion"] == (members[0] if len(members) == 1 else "uncertain")
    call(finished_copy.root, "predict", model, sound, "--error-rate", "0.01", "--guaranteed").refused("are too few")
    told = call(
        finished_copy.root,
        "evaluate",
        model,
        "--corpus",
        "manifest",
        "--data",
        finished_copy.csv,
        "--error-rate",
        "0.5",
        "--json",
    )
    (found,) = json.loads(told.out)
    sets = found["prediction_sets"]
    assert (sets["error_rate"], sets["guaranteed"]) == (0.5, False)
    assert 0 <= sets["measured"][0]["error_rate"] <= 1
    assert sets["calibration"] == set_coverage.OWN
