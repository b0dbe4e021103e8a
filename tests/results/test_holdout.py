"""Speakers that the search never sees: on no side of a fold, judged once by all networks together."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ser_tune.metrics import METRICS
from ser_tune.registry import load_model
from ser_tune.tracking import read_predictions
from tests.project_copies import copy_project

pytestmark = pytest.mark.slow

NAME = "ser-manifest-alex_net"


@pytest.fixture(scope="module")
def held_out(
    databases: Path, call: Callable[..., Any], study_file: Path, corpus_csv: Path, once: Callable[..., Path]
) -> Any:
    """A study of one trial from the command line, with dan held out: what it told, and its folder."""

    def _run(folder: Path) -> None:
        root = copy_project(databases, folder / "project")
        corpus = ("--corpus", "manifest", "--data", corpus_csv)
        told = call(root, "study", study_file, *corpus, "--trials", "1", "--holdout", "dan", "--name", "held")
        assert told.code == 0, told.err
        (folder / "told").write_text(told.out, encoding="utf-8")

    return once("holdout", _run)


@pytest.fixture
def opened(held_out: Path, open_study: Callable[..., Any]) -> Any:
    return open_study(held_out / "project", "held")


def _metrics(opened: Any) -> dict[str, float]:
    return dict(opened.runs[0].data.metrics)


def test_a_held_out_speaker_is_on_no_side_of_any_fold(opened: Any) -> None:
    utterances = opened.prepared.corpus.utterances
    assert {utterance.speaker for utterance in utterances} == {"ada", "bob", "cyd", "dan"}
    for fold in opened.prepared.folds:
        for side in (fold.train, fold.validation, fold.test):
            assert "dan" not in {utterances[number].speaker for number in side}
    for side in ("validation", "test"):
        assert {row["speaker"] for row in opened.predictions(0, side)} == {"ada", "bob", "cyd"}
    assert opened.prepared.protocol.holdout == ("dan",)


def test_their_predictions_are_those_of_the_registered_model(
    opened: Any, held_out: Path, monkeypatch: pytest.MonkeyPatch, corpus_csv: Path
) -> None:
    monkeypatch.setenv("SER_TUNE_ROOT", str(held_out / "project"))
    rows = opened.predictions(0, "holdout")
    assert {row["speaker"] for row in rows} == {"dan"}
    assert len(rows) == 4
    predicted = load_model(NAME).predict([corpus_csv.parent / row["utterance"] for row in rows])
    assert [prediction.label for prediction in predicted] == [row["predicted"] for row in rows]
    for prediction, row in zip(predicted, rows, strict=True):
        assert prediction.probabilities["joy"] == pytest.approx(float(row["joy"]), abs=2e-5)


def test_optimism_is_what_the_search_saw_less_what_is_left_of_it(opened: Any) -> None:
    metrics = _metrics(opened)
    read = read_predictions(opened.workspace, opened.runs[0], "holdout")
    assert read is not None
    assert metrics["holdout_uar"] == pytest.approx(METRICS.get("uar").score(read.truth, read.predicted, 2))
    assert metrics["optimism"] == pytest.approx(metrics["validation_uar"] - metrics["holdout_single_uar"])


def test_the_version_its_card_and_the_table_tell_of_it(opened: Any, held_out: Path) -> None:
    metrics = _metrics(opened)
    version = opened.workspace.client.get_model_version(NAME, "1")
    assert version.tags["holdout_uar"] == f"{metrics['holdout_uar']:.4f}"
    assert version.tags["optimism"] == f"{metrics['optimism']:.4f}"
    assert "kept out of the whole search, scored once by all networks together" in version.description
    lines = (held_out / "told").read_text(encoding="utf-8").splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["validation", "test", "holdout"]
    assert (
        f"speakers dan were kept out of the search: inner UAR {metrics['validation_uar']:.4f}, "
        f"outer UAR {metrics['holdout_single_uar']:.4f} (mean of single networks), optimism {metrics['optimism']:+.4f} "
        "(of different speakers; --nested pairs it by speaker)" in lines
    )


def test_a_speaker_that_does_not_exist_cannot_be_held_out(
    call: Callable[..., Any], root: Path, study_file: Path, corpus_csv: Path
) -> None:
    told = call(root, "study", study_file, "--corpus", "manifest", "--data", corpus_csv, "--holdout", "eve")
    assert told.code == 2
    assert "has no speaker 'eve' to hold out; it has ada, bob, cyd, dan" in told.err
    told = call(root, "study", study_file, "--corpus", "manifest", "--data", corpus_csv, "--holdout", "ada, dan")
    assert told.code == 2
    assert "no speaker 'ada, dan' to hold out; it has ada, bob, cyd, dan; hold out several one by one: " in told.err
    assert told.err.rstrip().endswith("--holdout ada --holdout dan")


def test_speakers_are_held_out_whatever_they_are_called(
    call: Callable[..., Any], make_corpus: Callable[..., Path], root: Path, study_file: Path, tmp_path: Path
) -> None:
    speakers = ("A, B", "Anna Smith")
    table = make_corpus(tmp_path / "named", ("A, B", "Anna Smith", "bob", "cyd", "dan"))
    options = [part for speaker in speakers for part in ("--holdout", speaker)]
    told = call(root, "study", study_file, "--corpus", "manifest", "--data", table, "--trials", "1", *options)
    assert told.code == 0, told.err
    assert f"speakers {', '.join(speakers)} were kept out of the search" in told.out
