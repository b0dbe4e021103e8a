"""Predictions of many files: in order, few in memory, and one that cannot be used stops no other."""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from ser_tune.prediction import Heard, Prediction
from ser_tune.recordings import UNCERTAIN, Unusable, batches, label_of, predict_files
from tests.recordings.conftest import LoudnessModel

Sound = Callable[..., str]


def _told(model: Any, files: list[str], **options: Any) -> list[str]:
    """`anger`, `sadness` or the reason, of each file."""
    return [one.reason if isinstance(one, Unusable) else one.label for one in predict_files(model, files, **options)]


def test_files_are_predicted_in_order_a_few_minutes_at_a_time(
    tmp_path: Path, sound: Sound, model: LoudnessModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH_S", 2.0)
    levels = [0.9, 0.1, 0.1, 0.9, 0.1, 0.9, 0.9]
    files = [sound(tmp_path / f"{number}.wav", 0.6, level=level) for number, level in enumerate(levels)]
    done: list[tuple[int, int]] = []
    answers = list(predict_files(model, files, progressed=lambda *now: done.append(now)))  # type: ignore[arg-type]
    assert [one.source for one in answers] == files
    assert [one.label for one in answers if isinstance(one, Prediction)] == [
        "anger" if level > 0.5 else "sadness" for level in levels
    ]
    assert [len(batch) for batch in model.asked] == [4, 3]
    assert done == [(0, 7), (4, 7), (7, 7)]


def test_the_next_files_are_not_decoded_before_the_first_are_asked_for(
    tmp_path: Path, sound: Sound, model: LoudnessModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH_S", 0.5)
    files = [sound(tmp_path / f"{number}.wav", 0.6) for number in range(3)]
    answers = predict_files(model, files)  # type: ignore[arg-type]
    next(answers)
    assert len(model.asked) == 1


def test_the_next_files_are_decoded_while_the_first_are_predicted(
    tmp_path: Path, sound: Sound, model: LoudnessModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH_S", 1.0)
    monkeypatch.setattr(batches, "CORES", 2)
    files = [sound(tmp_path / f"{number}.wav", 0.6) for number in range(20)]
    decoded, next_batch, read, predict = set[str](), Event(), batches.read_speech, model.predict_heard

    def read_and_note(path: Path) -> np.ndarray:
        speech = read(path)
        decoded.add(path.name)
        if {"2.wav", "3.wav"} <= decoded:
            next_batch.set()
        return speech

    def predict_beside(heard: Sequence[Heard]) -> list[Prediction]:
        assert next_batch.wait(30)
        assert len(decoded) <= len(model.asked) * 2 + 4 + 4  # predicted before, two batches, and what threads hold
        return predict(heard)

    monkeypatch.setattr(batches, "read_speech", read_and_note)
    monkeypatch.setattr(model, "predict_heard", predict_beside)
    assert [each.source for each in predict_files(model, files)] == files  # type: ignore[arg-type]
    assert [len(batch) for batch in model.asked] == [2] * 10


def test_who_needs_no_more_predictions_waits_for_no_more_files(
    tmp_path: Path, sound: Sound, model: LoudnessModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH_S", 0.5)
    files, decoded, read = [sound(tmp_path / "same.wav", 0.6)] * 5_000, [], batches.read_speech
    monkeypatch.setattr(batches, "read_speech", lambda path: (decoded.append(path), read(path))[1])
    answers = predict_files(model, files)  # type: ignore[arg-type]
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert len(decoded) <= 2 + 2 * batches.CORES


def test_files_that_cannot_be_decoded_or_are_too_short_are_named_and_the_others_predicted(
    tmp_path: Path, sound: Sound, model: LoudnessModel
) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    short = sound(tmp_path / "short.wav", 0.01)
    good = [sound(tmp_path / f"{number}.wav", 0.5) for number in range(5)]
    told = _told(model, [good[0], str(tmp_path / "broken.wav"), good[1], short, *good[2:], "gone.wav"])
    assert [one for one in told if one == "anger"] == ["anger"] * 5
    assert "broken.wav cannot be decoded" in told[1]
    assert told[3] == f"{short}: 160 samples are too short"
    assert told[-1] == "gone.wav does not exist"


def test_a_model_that_normalises_by_speaker_gets_all_files_at_once(
    tmp_path: Path, sound: Sound, speaker_model: LoudnessModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH_S", 0.5)
    files = [sound(tmp_path / f"{number}.wav", 0.4) for number in range(4)]
    assert _told(speaker_model, files) == ["anger"] * 4
    assert [len(batch) for batch in speaker_model.asked] == [4]


def test_of_one_speaker_the_files_that_can_be_used_are_still_predicted_together(
    tmp_path: Path, sound: Sound, speaker_model: LoudnessModel
) -> None:
    short = sound(tmp_path / "short.wav", 0.01)
    files = [sound(tmp_path / f"{number}.wav", 0.4) for number in range(3)]
    told = _told(speaker_model, [files[0], short, *files[1:]])
    assert told == ["anger", f"{short}: 160 samples are too short", "anger", "anger"]
    assert len(speaker_model.asked[-1]) == 3


def test_a_single_file_of_a_speaker_has_no_prediction(
    tmp_path: Path, sound: Sound, speaker_model: LoudnessModel
) -> None:
    (told,) = _told(speaker_model, [sound(tmp_path / "one.wav", 0.4)])
    assert told.endswith("needs at least 2 recordings")


def test_a_prediction_below_the_asked_probability_is_uncertain(model: LoudnessModel) -> None:
    assert label_of(model, {"anger": 0.6, "sadness": 0.4}, 0.6) == "anger"
    assert label_of(model, {"anger": 0.6, "sadness": 0.4}, 0.61) == UNCERTAIN == "uncertain"


@pytest.mark.usefixtures("ranks")
def test_the_models_task_decides(model: LoudnessModel) -> None:
    between = {"low": 0.5, "middle": 0.05, "high": 0.45}  # 0.95 on average
    model.recipe.labels = tuple(between)
    assert label_of(model, between) == "low"
    model.recipe.task = "ranks"
    assert (label_of(model, between), label_of(model, between, 0.51)) == ("middle", UNCERTAIN)
