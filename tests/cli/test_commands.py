"""The commands on a real project: results on standard output, the rest on standard error, plain lines."""

import csv
import io
import json
import pickle
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from mlflow import MlflowClient

NAME = "ser-manifest-alex_net"
Call = Callable[..., Any]


def test_a_study_ends_with_a_table_the_name_and_what_to_run_next(finished: Any) -> None:
    lines = finished.told.out.splitlines()
    assert lines[0].startswith("study first: 3 complete, 0 pruned, 0 failed; best trial ")
    assert [line.split()[0] for line in lines[1:5]] == ["trial", "validation", "corrected", "test"]
    assert lines[5].startswith(
        f"corrected: without the choice among 3 trials the winner's UAR is {lines[3].split()[1]} "
    )
    assert " over trial 0 and " in lines[5]
    assert lines[5].split(";")[0].endswith(" over the median trial")
    assert lines[6].startswith("protocol ")
    assert lines[7] == (
        "validation speakers of one fold are test speakers of another, so test scores are not free of the selection; "
        "numbers for comparison come from --nested or --holdout"
    )
    assert lines[8] == f"registered: {NAME} version 1 as champion (there was no champion before)"
    assert lines[9].startswith(f"next: ser-tune predict {NAME} ")
    assert lines[9].endswith("  # networks were trained on it: judge them by recordings of your own")
    assert lines[10] == "next: ser-tune report first"
    assert lines[11] == "next: ser-tune ui"  # four speakers are too few for a nested study of three folds
    assert len(lines) == 12


@pytest.mark.slow
def test_the_corrected_score_is_in_json_in_the_list_of_models_and_in_mlflow(
    call: Call, finished: Any, finished_copy: Any
) -> None:
    (version,) = json.loads(call(finished.root, "models", "--json").out)
    (found,) = json.loads(call(finished_copy.root, "study", *finished_copy.args, "--json").out)
    selection = found["promotion"]["selection"]
    assert (selection["trials"], selection["first_trial"]) == (3, 0)
    assert f"{selection['corrected_uar']:.4f}" == version["corrected_uar"]
    assert f"{selection['gain_over_median']:.4f}" == version["gain_over_median"]
    header, row = call(finished.root, "models").out.splitlines()
    assert "corrected" in header
    assert f"  {version['corrected_uar']}" in row
    client = MlflowClient(tracking_uri=f"sqlite:///{finished.root}/mlruns/mlflow.db")
    experiments = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(experiments, "metrics.corrected_uar >= 0")
    assert len(runs) == 2  # the study's and the winner's
    assert {f"{one.data.metrics['corrected_uar']:.4f}" for one in runs} == {version["corrected_uar"]}


@pytest.mark.slow
def test_the_predictions_of_an_earlier_version_are_read_from_mlflow(call: Call, finished_copy: Any) -> None:
    (before,) = json.loads(call(finished_copy.root, "study", *finished_copy.args, "--json").out)
    with closing(sqlite3.connect(finished_copy.root / "studies" / "optuna.db")) as database, database:
        kept = database.execute("DELETE FROM trial_user_attributes WHERE key = 'speaker_confusions'")
        assert kept.rowcount == 3
    (after,) = json.loads(call(finished_copy.root, "study", *finished_copy.args, "--json").out)
    assert after["promotion"]["selection"] == before["promotion"]["selection"] is not None


def test_progress_is_a_plain_line_for_each_trial_where_nobody_watches(finished: Any) -> None:
    lines = finished.told.err.splitlines()
    assert lines[0].endswith("of 16 utterances extracted") or lines[0].startswith("study first")
    assert [line.partition(":")[0] for line in lines if line.startswith("trial")] == ["trial 0", "trial 1", "trial 2"]
    assert "about" in next(line for line in lines if line.startswith("trial 0"))
    assert not [line for line in lines if "\x1b" in line or "━" in line or "Warning" in line]


@pytest.mark.slow
def test_the_same_command_does_nothing_again(call: Call, finished_copy: Any) -> None:
    told = call(finished_copy.root, "study", *finished_copy.args)
    assert told.code == 0
    assert "study first has all of its 3 trials" in told.err
    assert f"already registered: {NAME} version 1 as champion" in told.out


@pytest.mark.slow
def test_a_larger_total_resumes(call: Call, finished_copy: Any) -> None:
    told = call(finished_copy.root, "study", *finished_copy.args[:-4], "--trials", "4", "--pruner", "none")
    assert told.code == 0, told.err
    assert "resuming after 3 trials; 1 to run" in told.err
    assert told.out.startswith("study first: 4 complete")


@pytest.mark.slow
def test_ctrl_c_promotes_the_best_so_far_and_the_study_can_go_on(
    call: Call, root: Path, study_file: Path, corpus_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune.cli.progress import ProgressObserver

    command = ("study", study_file, "--corpus", "manifest", "--data", corpus_csv, "--trials", "2", "--pruner", "none")
    epochs = iter(range(100))

    def interrupt(self: object, trial: int, fold: int, report: object) -> None:
        if next(epochs) == 10:  # nine are a trial's
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ProgressObserver, "epoch_finished", interrupt)
        told = call(root, *command)
    assert told.code == 130
    assert "trial 1: interrupted after 0 of 3 folds" in told.err
    assert "interrupted: 1 trial kept; the same command continues" in told.err
    assert told.out.startswith("study manifest-alex_net-logmelspec: 1 complete, 0 pruned, 0 failed; best trial 0")
    assert f"registered: {NAME} version 1 as champion" in told.out
    told = call(root, *command)
    assert told.code == 0, told.err
    assert "resuming after 1 trial; 1 to run" in told.err
    assert told.out.startswith("study manifest-alex_net-logmelspec: 2 complete, 0 pruned, 0 failed")


@pytest.mark.slow
def test_a_study_without_a_complete_trial_promotes_nothing(
    call: Call, root: Path, study_file: Path, corpus_csv: Path
) -> None:
    told = call(
        root, "study", study_file, "--corpus", "manifest", "--data", corpus_csv, "--trials", "1", "--timeout", "1e-6"
    )
    assert (told.code, told.out) == (1, "")
    assert "has no complete trial: nothing to promote" in told.err


@pytest.mark.slow
def test_a_study_ends_with_the_reasons_where_too_many_trials_failed(
    call: Call, root: Path, study_file: Path, corpus_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune.errors import ConfigError
    from ser_tune.search import Trainer

    def refuse(self: object, sampled: object, seed: int) -> None:
        raise ConfigError("these values do not go together")

    monkeypatch.setattr(Trainer, "concrete", refuse)
    told = call(root, "study", study_file, "--corpus", "manifest", "--data", corpus_csv, "--max-failures", "2")
    assert told.code == 1
    *_, ended, first, second, last = told.err.splitlines()
    assert ended.endswith("ended: 2 trials in a row failed (--max-failures); the same command goes on")
    assert (first, second) == tuple(f"trial {n}: ConfigError: these values do not go together" for n in (0, 1))
    assert "has no complete trial: nothing to promote" in last


@pytest.mark.slow
def test_one_configuration_can_be_trained_without_a_search(
    call: Call, root: Path, study_file: Path, corpus_csv: Path
) -> None:
    command = ("train", study_file, "--corpus", "manifest", "--data", corpus_csv, "--set", "training.epochs=1")
    told = call(root, *command, "--refit")
    assert told.code == 0, told.err
    assert ": 1 complete, 0 pruned, 0 failed; best trial 0" in told.out.splitlines()[0]
    assert told.out.splitlines()[0].startswith("study manifest-alex_net-logmelspec-")
    assert f"registered: {NAME} version 1 as champion" in told.out
    again = call(root, *command, "--refit")
    assert f"already registered: {NAME} version 1" in again.out


@pytest.fixture
def sounds(corpus_csv: Path) -> list[Path]:
    return [corpus_csv.parent / name for name in ("ada_anger_0.wav", "bob_joy_1.wav")]


def test_predictions_are_a_table(call: Call, finished: Any, sounds: list[Path]) -> None:
    told = call(finished.root, "predict", NAME, *sounds)
    assert (told.code, told.err) == (0, "")
    header, *rows = [line.split() for line in told.out.splitlines()]
    assert header == ["file", "emotion", "anger", "joy"]
    assert [row[0] for row in rows] == [str(path) for path in sounds]
    for row in rows:
        assert float(row[2]) + float(row[3]) == pytest.approx(1, abs=2e-3)
        assert row[1] == ("anger" if float(row[2]) > float(row[3]) else "joy")


def test_predictions_are_json(call: Call, finished: Any, sounds: list[Path]) -> None:
    told = call(finished.root, "predict", f"{NAME}@champion", *sounds, "--json")
    rows = json.loads(told.out)
    assert told.err == ""
    assert [row["file"] for row in rows] == [str(path) for path in sounds]
    assert all(row["anger"] + row["joy"] == pytest.approx(1, abs=1e-5) for row in rows)


@pytest.mark.slow
def test_predictions_are_csv_and_the_same_as_in_json(call: Call, finished: Any, sounds: list[Path]) -> None:
    as_csv = list(csv.DictReader(io.StringIO(call(finished.root, "predict", f"{NAME}/1", *sounds, "--csv").out)))
    as_json = json.loads(call(finished.root, "predict", NAME, *sounds, "--json").out)
    assert [{key: str(value) for key, value in row.items()} for row in as_json] == as_csv


def test_segments_have_a_row_each_with_their_times(call: Call, finished: Any, sounds: list[Path]) -> None:
    rows = json.loads(call(finished.root, "predict", NAME, *sounds, "--segments", "--json").out)
    assert [row["start_s"] for row in rows] == [0, 0, 0.32]
    assert all(row["start_s"] < row["end_s"] <= row["start_s"] + 0.32 + 1e-9 for row in rows)
    assert list(rows[0]) == ["file", "start_s", "end_s", "emotion", "anger", "joy"]


def test_a_stereo_file_of_48_khz_with_an_odd_name_is_converted(
    call: Call, finished: Any, sounds: list[Path], tmp_path: Path
) -> None:
    import soxr

    samples, rate = soundfile.read(sounds[1])
    path = tmp_path / "[red] odd.wav"
    up = soxr.resample(samples, rate, 48_000)
    soundfile.write(path, np.stack([up * 1.2, up * 0.8], axis=1), 48_000, subtype="FLOAT")
    told = call(finished.root, "predict", NAME, sounds[1], path)
    assert told.code == 0, told.err
    one, other = told.out.splitlines()[1:]
    assert "[red] odd.wav" in other
    assert float(one.split()[-1]) == pytest.approx(float(other.split()[-1]), abs=0.05)


def test_one_form_of_output_at_a_time(call: Call, finished: Any, sounds: list[Path]) -> None:
    told = call(finished.root, "predict", NAME, sounds[0], "--json", "--csv")
    assert told.code == 2
    assert "not both" in told.err


def test_models_are_listed(call: Call, finished: Any) -> None:
    told = call(finished.root, "models")
    assert told.err == ""
    header, row = told.out.splitlines()
    assert header.startswith("name")
    assert max(len(header), len(row)) <= 100
    wide, _ = call(finished.root, "models", "--wide").out.splitlines()
    assert wide.split()[-4:] == ["corpus", "protocol", "study", "trial"]
    assert row.split()[:3] == [NAME, "1", "champion"]
    (listed,) = json.loads(call(finished.root, "models", "--json").out)
    assert (listed["name"], listed["version"], listed["aliases"]) == (NAME, "1", ["champion"])
    assert listed["corpus"] == "manifest"
    assert f"{float(listed['test_uar']):.4f}" in row


def test_no_models_are_none(call: Call, root: Path) -> None:
    told = call(root, "models")
    assert (told.code, told.out) == (0, "")
    assert "no registered models yet" in told.err
    assert json.loads(call(root, "models", "--json").out) == []


@pytest.mark.slow
def test_a_trial_can_be_promoted_by_hand(call: Call, finished_copy: Any) -> None:
    told = call(finished_copy.root, "promote", "first", "--trial", "2", "--as", "mine")
    assert told.code == 0, told.err
    assert "registered: mine version 1 as champion" in told.out
    assert "next: ser-tune predict mine " in told.out
    again = call(finished_copy.root, "promote", "first")
    assert f"already registered: {NAME} version 1 as champion (it was registered before)" in again.out


@pytest.mark.slow
def test_options_have_every_path_of_every_component(call: Call, root: Path) -> None:
    from ser_tune.architectures import ARCHITECTURES
    from ser_tune.config import StudyConfig, leaves
    from ser_tune.features import FEATURE_SETS
    from ser_tune.tasks import TASKS
    from ser_tune.training import LOSSES

    told = call(root, "options", "--json")
    rows = json.loads(told.out)
    expected = {("", leaf.path) for leaf in leaves(StudyConfig)}
    expected = {option for option in expected if option[1].split(".")[0] not in ("model", "features", "loss", "task")}
    parts = (("model", ARCHITECTURES), ("features", FEATURE_SETS), ("loss", LOSSES), ("task", TASKS))
    for section, catalogue in parts:
        for name in catalogue.names():
            settings = catalogue.get(name).settings
            expected |= {(name, leaf.path) for leaf in leaves(settings, f"{section}.")}
    assert expected <= {(row["for"], row["path"]) for row in rows}
    assert all(row["help"] and row["type"] for row in rows)
    by_path = {(row["for"], row["path"]): row for row in rows}
    rate = by_path["", "optimizer.learning_rate"]
    assert (rate["type"], rate["bounds"], rate["search"]) == ("float", "> 0, ≤ 1", "0.0001 … 0.01 (log)")
    table = call(root, "options").out.splitlines()
    assert len(table) == len(rows) + 1
    assert not [line for line in table if line != line.rstrip()]


def test_options_of_one_model(call: Call, root: Path) -> None:
    rows = json.loads(call(root, "options", "--model", "alex_net", "--json").out)
    named = [(row["path"], row["for"]) for row in rows]  # each loss has settings of the same names
    assert len(set(named)) == len(named)
    assert next(row for row in rows if row["path"] == "model.dropout")["search"] == "0.2 … 0.7"


def test_features_are_exported(
    call: Call, root: Path, make_corpus: Callable[..., Path], tmp_path: Path, corpus_csv: Path
) -> None:
    settings = ("--features", "logmelspec", "--set", "features.n_mels=16", "--set", "segments.frames=32")
    told = call(root, "extract", "--corpus", "manifest", "--data", corpus_csv, *settings, "--out", tmp_path / "a.npz")
    assert (told.code, told.out) == (0, "")
    assert "4 speakers" in told.err
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert arrays["ada/segments"].shape[1:] == (1, 16, 32)
        assert list(arrays["emotions"]) == ["anger", "joy"]
    # One speaker is enough for that, if not for folds
    alone = make_corpus(tmp_path / "alone", ["ada"])
    told = call(root, "extract", "--corpus", "manifest", "--data", alone, *settings, "--out", tmp_path / "b.pkl")
    assert told.code == 0, told.err
    exported = pickle.loads((tmp_path / "b.pkl").read_bytes())
    segments, labels, segment_labels, counts = exported["ada"]
    assert (len(segments), len(labels)) == (len(segment_labels), 4)
    assert counts.sum() == len(segments)


@pytest.mark.slow
def test_a_learning_rate_is_suggested_in_a_line_and_a_picture(call: Call, root: Path) -> None:
    quick = (
        "--set",
        "training.precision=float32",
        "--set",
        "training.batch_size=8",
        "--set",
        "augmentation.mixup=false",
    )
    told = call(root, "find-lr", "--model", "light_cnn", *quick)
    assert told.code == 0, told.err
    (line,) = told.out.splitlines()
    rate = line.split()[2].rstrip(":")
    assert line == f"learning rate {rate}: --set optimizer.learning_rate={rate}"
    assert 1e-6 < float(rate) <= 0.1
    assert "100 steps at rates of 1.0e-06 to 1.0e+00" in told.err or "the loss diverged" in told.err
    assert (root / "learning-rate.png").read_bytes().startswith(b"\x89PNG")
    # Nothing is stored of it
    assert call(root, "models").out == ""


def test_a_picture_that_cannot_be_drawn_is_refused_before_training(call: Call, root: Path) -> None:
    (root / "folder.png").mkdir()
    for wrong in ("curve.gif", "no/such/folder.png", "folder.png"):
        told = call(root, "find-lr", "--model", "light_cnn", "--picture", wrong)
        assert (told.code, told.out) == (2, "")
        assert (
            f"--picture is '{wrong}'; expected a name that ends in .pdf, .png, .svg, in an existing folder" in told.err
        )
