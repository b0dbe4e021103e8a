"""The fingerprint is equal for what means the same, and differs for what does not."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile

from ser_tune.config import Project
from ser_tune.study import Protocol, prepare


def test_equal_meaning_has_an_equal_fingerprint(
    tiny: Callable[..., Any], project: Project, corpus_csv: Path, tmp_path: Path
) -> None:
    here = prepare(tiny(), project).protocol
    elsewhere = shutil.copytree(corpus_csv.parent, tmp_path / "elsewhere") / corpus_csv.name
    # Neither the place nor what only decides how good a network gets
    other = tiny(
        name="other", **{"corpus.data": elsewhere, "training.epochs": 9, "segments.frames": 128, "study.trials": 7}
    )
    again = prepare(other, project).protocol
    assert again.fingerprint == here.fingerprint
    assert not again.differences(here.facts)


@pytest.mark.parametrize(
    ("path", "value", "fact"),
    [
        ("protocol.folds", 4, "folds"),
        ("protocol.aggregation", "mean_probability", "aggregation"),
        ("normalisation.scope", "speaker", "normalisation_scope"),
        ("training.selection", "last", "epoch_selection"),
    ],
)
def test_a_setting_that_changes_the_meaning_changes_the_fingerprint(
    tiny: Callable[..., Any], project: Project, path: str, value: object, fact: str
) -> None:
    one, other = prepare(tiny(), project).protocol, prepare(tiny(**{path: value}), project).protocol
    assert one.fingerprint != other.fingerprint
    assert other.differences(one.facts).startswith(f"{fact} is ")


def test_transductive_normalisation_says_so(tiny: Callable[..., Any], project: Project) -> None:
    facts = prepare(tiny(**{"normalisation.scope": "speaker"}), project).protocol.facts
    assert facts["normalisation_scope"] == "speaker (transductive)"


def test_the_sound_of_a_file_changes_the_fingerprint(
    tiny: Callable[..., Any], project: Project, corpus_csv: Path, tmp_path: Path
) -> None:
    table = shutil.copytree(corpus_csv.parent, tmp_path / "elsewhere") / corpus_csv.name
    path = table.parent / "ada_anger_0.wav"
    sound, rate = soundfile.read(path)
    sound[100] = -sound[100]
    soundfile.write(path, sound, rate)
    one, other = prepare(tiny(), project).protocol, prepare(tiny(**{"corpus.data": table}), project).protocol
    assert one.fingerprint != other.fingerprint
    assert other.differences(one.facts).startswith("corpus_digest is ")


def test_the_classes_change_the_fingerprint(tiny: Callable[..., Any], project: Project) -> None:
    prepared = prepare(tiny(), project)
    config, corpus, folds = prepared.definition.config, prepared.corpus, prepared.folds
    renamed = tuple(replace(one, emotion=one.emotion.upper()) for one in corpus.utterances)
    other = Protocol.of(config, replace(corpus, utterances=renamed), folds)
    assert other.fingerprint != prepared.protocol.fingerprint
    assert other.differences(prepared.protocol.facts) == "emotions is 'ANGER JOY', not 'anger joy'"


def test_swapping_who_validates_and_who_is_tested_changes_the_fingerprint(
    tiny: Callable[..., Any], project: Project
) -> None:
    prepared = prepare(tiny(), project)
    swapped = [
        replace(one, validation_speakers=one.test_speakers, test_speakers=one.validation_speakers)
        for one in prepared.folds
    ]
    other = Protocol.of(prepared.definition.config, prepared.corpus, swapped)
    assert other.fingerprint != prepared.protocol.fingerprint
