"""Each leak is planted and stops the study before anything of it is stored; what only looks like one passes."""

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_tune.features import FeatureStore
from ser_tune.folds import Fold
from ser_tune.protocol import Prepared
from ser_tune.search import trainer

RATE_HZ = 16_000

Rows = list[dict[str, str]]
Edit = Callable[[Path, Rows], None]
Study = Callable[..., Prepared]


# A speaker, or an utterance, on two sides: folds are drawn by speakers, so somebody must have changed them afterwards


def _moved(fold: Fold, source: str, target: str | None, *, stays: bool = False) -> Fold:
    """The fold with the first utterance of one side moved to, or also put on, another; None is no side at all."""
    one = getattr(fold, source)[:1]
    left = getattr(fold, source) if stays else getattr(fold, source)[1:]
    other = {} if target is None else {target: np.append(getattr(fold, target), one)}
    return replace(fold, **{source: left, **other})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "target"),
    [("test", "train"), ("validation", "train"), ("test", "validation"), ("train", "test"), ("train", None)],
)
def test_a_speaker_on_two_sides_stops_the_study(
    study: Study, refusal: Callable[[Prepared], str], source: str, target: str | None
) -> None:
    prepared = study()
    number = int(getattr(prepared.folds[1], source)[0])
    name, speaker = prepared.corpus.utterances[number].id, prepared.corpus.utterances[number].speaker
    tampered = [prepared.folds[0], _moved(prepared.folds[1], source, target), prepared.folds[2]]
    message = refusal(replace(prepared, folds=tampered))
    assert message.startswith("leak in corpus manifest, fold 1: ")
    side = {"train": "training", None: "held out"}.get(target, target)
    assert f"'{name}' (speaker {speaker}, {side})" in message
    assert message.endswith("are of one speaker; leave one out, or give both one speaker")


@pytest.mark.parametrize(("source", "target"), [("test", "train"), ("validation", "train"), ("test", "validation")])
def test_an_utterance_on_two_sides_stops_the_study(
    study: Study, refusal: Callable[[Prepared], str], source: str, target: str
) -> None:
    prepared = study()
    name = prepared.corpus.utterances[int(getattr(prepared.folds[2], source)[0])].id
    tampered = [*prepared.folds[:2], _moved(prepared.folds[2], source, target, stays=True)]
    assert refusal(replace(prepared, folds=tampered)) == (f"leak in corpus manifest, fold 2: '{name}' is on two sides")


# One sound under two names


def _as_wav(sound: np.ndarray, path: Path) -> Path:
    """What the recordings of the tiny corpus are: 16 bit, one channel."""
    soundfile.write(path.with_suffix(".wav"), sound, RATE_HZ, subtype="PCM_16")
    return path.with_suffix(".wav")


def _as_flac(sound: np.ndarray, path: Path) -> Path:
    soundfile.write(path.with_suffix(".flac"), sound, RATE_HZ, subtype="PCM_16")
    return path.with_suffix(".flac")


def _as_24_bits(sound: np.ndarray, path: Path) -> Path:
    soundfile.write(path.with_suffix(".wav"), sound, RATE_HZ, subtype="PCM_24")
    return path.with_suffix(".wav")


def _as_float(sound: np.ndarray, path: Path) -> Path:
    soundfile.write(path.with_suffix(".wav"), sound, RATE_HZ, subtype="FLOAT")
    return path.with_suffix(".wav")


def _as_stereo(sound: np.ndarray, path: Path) -> Path:
    soundfile.write(path.with_suffix(".wav"), np.stack([sound, sound], axis=1), RATE_HZ, subtype="PCM_16")
    return path.with_suffix(".wav")


def _as_aiff_called_wav(sound: np.ndarray, path: Path) -> Path:
    soundfile.write(path.with_suffix(".wav"), sound, RATE_HZ, format="AIFF", subtype="PCM_16")
    return path.with_suffix(".wav")


def _with_a_title(sound: np.ndarray, path: Path) -> Path:
    with soundfile.SoundFile(path.with_suffix(".wav"), "w", RATE_HZ, 1, subtype="PCM_16") as file:
        file.title = "the same sound"
        file.write(sound)
    return path.with_suffix(".wav")


CONTAINERS: Mapping[str, Callable[[np.ndarray, Path], Path]] = {
    "flac": _as_flac,
    "24 bits": _as_24_bits,
    "float": _as_float,
    "two equal channels": _as_stereo,
    "AIFF called wav": _as_aiff_called_wav,
    "another header": _with_a_title,
}


def _again(write: Callable[[np.ndarray, Path], Path], speaker: str) -> Edit:
    """Add ada's first recording once more, said to be of some speaker."""

    def edit(folder: Path, rows: Rows) -> None:
        assert rows[0]["path"] == "ada_anger_0.wav"
        sound, _ = soundfile.read(folder / "ada_anger_0.wav")
        path = write(sound, folder / "again")
        if write is not _as_wav:
            assert path.read_bytes() != (folder / "ada_anger_0.wav").read_bytes()
        rows.append({"path": path.name, "speaker": speaker, "emotion": "anger"})

    return edit


@pytest.mark.slow
@pytest.mark.parametrize("container", CONTAINERS)
def test_one_sound_in_two_containers_stops_the_study(
    study: Study, refusal: Callable[[Prepared], str], container: str
) -> None:
    prepared = study(_again(CONTAINERS[container], "dan"))
    assert len(set(prepared.corpus.contents)) == 17
    message = refusal(prepared)
    assert message.startswith("leak in corpus manifest, fold 0: 'ada_anger_0.wav' (speaker ada, ")
    assert message.endswith("(speaker dan, training) hold the same sound; leave one out, or give both one speaker")


def test_one_file_under_two_names_stops_the_study(study: Study, refusal: Callable[[Prepared], str]) -> None:
    def edit(folder: Path, rows: Rows) -> None:
        shutil.copy(folder / "ada_anger_0.wav", folder / "copy.wav")
        rows.append({"path": "copy.wav", "speaker": "dan", "emotion": "joy"})

    message = refusal(study(edit))
    assert "'ada_anger_0.wav' (speaker ada, " in message
    assert "'copy.wav' (speaker dan, " in message
    assert "hold the same sound" in message


def _changed(sound: np.ndarray, path: Path) -> Path:
    soundfile.write(path.with_suffix(".wav"), np.pad(-0.4 * sound[300:], 2000), RATE_HZ)
    return path.with_suffix(".wav")


def test_nearly_the_same_sound_stops_the_study(study: Study, refusal: Callable[[Prepared], str]) -> None:
    message = refusal(study(_again(_changed, "dan")))
    assert "'ada_anger_0.wav' (speaker ada, " in message
    assert message.endswith(
        "(speaker dan, training) hold nearly the same sound; leave one out, or give both one speaker; recordings that "
        "are different after all are allowed by protocol.near_identical=allow"
    )


@pytest.mark.slow
def test_nearly_the_same_sound_may_be_allowed_and_is_then_a_fact_of_the_protocol(
    study: Study, passes: Callable[[Prepared], None]
) -> None:
    allowed = study(_again(_changed, "dan"), **{"protocol.near_identical": "allow"})
    passes(allowed)
    assert allowed.protocol.facts["near_identical"] == "recordings on two sides are allowed"
    assert "near_identical" not in study().protocol.facts


@pytest.mark.slow
def test_nearly_the_same_sound_within_a_speaker_is_no_leak(study: Study, passes: Callable[[Prepared], None]) -> None:
    passes(study(_again(_changed, "ada")))


def test_a_sound_that_only_the_held_out_speaker_shares_stops_the_study(
    study: Study, refusal: Callable[[Prepared], str]
) -> None:
    message = refusal(study(_again(_as_flac, "dan"), **{"protocol.holdout": ("dan",)}))
    assert "(speaker dan, held out) hold the same sound" in message


@pytest.mark.slow
@pytest.mark.parametrize("write", [_as_wav, _as_flac])
def test_one_sound_twice_within_a_speaker_is_no_leak(
    study: Study, passes: Callable[[Prepared], None], write: Callable[[np.ndarray, Path], Path]
) -> None:
    passes(study(_again(write, "ada")))


# Nobody: utterances whose speaker's name is a placeholder


def _unknown(folder: Path, rows: Rows) -> None:
    """The first recording of each emotion of ada is of nobody."""
    for row in rows[:4:2]:
        assert row["speaker"] == "ada"
        row["speaker"] = "????"


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["train", "speaker"])
def test_nobody_trains_in_every_fold_and_is_no_leak(
    study: Study, passes: Callable[[Prepared], None], scope: str
) -> None:
    prepared = study(_unknown, **{"normalisation.scope": scope})
    assert prepared.corpus.speakers == ("ada", "bob", "cyd", "dan")
    assert all({0, 2} <= {*fold.train} for fold in prepared.folds)
    assert any("2 of 16 utterances name no speaker ('????' (2))" in note for note in prepared.notes)
    passes(prepared)


def test_a_sound_of_nobody_that_a_held_out_speaker_shares_stops_the_study(
    study: Study, refusal: Callable[[Prepared], str]
) -> None:
    message = refusal(study(_again(_as_flac, "nan")))
    assert message.startswith("leak in corpus manifest, fold 0: 'ada_anger_0.wav' (speaker ada, ")
    assert "(speaker nan, training) hold the same sound" in message


@pytest.mark.slow
def test_a_sound_twice_of_nobody_is_no_leak(study: Study, passes: Callable[[Prepared], None]) -> None:
    def edit(folder: Path, rows: Rows) -> None:
        _again(_as_flac, "nan")(folder, rows)
        rows[0]["speaker"] = "unknown"

    passes(study(edit))


# One recording that utterances are cut from


def _cut(*speakers: str, sessions: Mapping[str, str] | None = None) -> Edit:
    """Add one long recording in which speakers speak one after another, 0.4 s each; every speaker has a session."""

    def edit(folder: Path, rows: Rows) -> None:
        sound = np.random.default_rng(9).normal(0.0, 0.1, round(0.4 * RATE_HZ * len(speakers)))
        soundfile.write(folder / "dialog.wav", sound, RATE_HZ)
        for number, speaker in enumerate(speakers):
            stretch = {"start": f"{0.4 * number:.1f}", "end": f"{0.4 * (number + 1):.1f}"}
            rows.append({"path": "dialog.wav", "speaker": speaker, "emotion": "joy", **stretch})
        for row in rows if sessions else []:
            row["session"] = (sessions or {})[row["speaker"]]

    return edit


def test_a_recording_cut_into_utterances_on_two_sides_stops_the_study(
    study: Study, refusal: Callable[[Prepared], str]
) -> None:
    prepared = study(_cut("ada", "dan"))
    message = refusal(prepared)
    assert "'dialog.wav[0.0-0.4]' (speaker ada, " in message
    assert message.endswith(
        "'dialog.wav[0.4-0.8]' (speaker dan, training) are cut from one recording; leave one out, or give both one "
        "speaker"
    )


def test_a_recording_shared_with_the_held_out_speaker_stops_the_study(
    study: Study, refusal: Callable[[Prepared], str]
) -> None:
    message = refusal(study(_cut("ada", "dan"), **{"protocol.holdout": ("dan",)}))
    assert "'dialog.wav[0.4-0.8]' (speaker dan, held out) are cut from one recording" in message


@pytest.mark.slow
def test_two_stretches_of_a_speakers_own_recording_are_no_leak(
    study: Study, passes: Callable[[Prepared], None]
) -> None:
    passes(study(_cut("ada", "ada", "ada")))


@pytest.mark.slow
def test_the_common_recording_of_a_session_is_no_leak_where_folds_keep_it_whole(
    study: Study, passes: Callable[[Prepared], None]
) -> None:
    passes(study(_cut("ada", "dan", "ada", sessions={"ada": "one", "dan": "one", "bob": "two", "cyd": "three"})))


def test_the_common_recording_of_a_session_whose_speakers_take_turns_stops_the_study(
    study: Study, refusal: Callable[[Prepared], str]
) -> None:
    sessions = {"ada": "one", "dan": "one", "bob": "two", "cyd": "two"}
    message = refusal(study(_cut("ada", "dan", sessions=sessions), **{"protocol.folds": "none"}))
    assert message.endswith("are cut from one recording; leave one out, or keep sessions whole with protocol.folds")


# What is not refused


def test_an_export_is_no_study_and_is_not_checked(study: Study, call: Callable[..., Any], root: Path) -> None:
    prepared = study(_again(_as_flac, "dan"))
    table = prepared.definition.config.corpus.data
    arguments = ("--corpus", "manifest", "--data", table, "--features", "logmelspec", "--out", root / "all.npz")
    told = call(root, "extract", *arguments)
    assert (told.code, (root / "all.npz").is_file()) == (0, True), told.err


# A text on two sides, where folds are text-independent


def _texts(folder: Path, rows: Rows) -> None:
    """Six speakers who speak three texts in both emotions: each recording of the corpus three times, made different."""
    originals = [row for row in rows if row["path"].endswith("_0.wav")]
    rows.clear()
    for number, row in enumerate(originals):
        for text in "abc":
            sound, _ = soundfile.read(folder / row["path"])
            sound += np.random.default_rng([number, ord(text)]).normal(0.0, 0.01, len(sound))
            soundfile.write(folder / f"{text}_{row['path']}", sound, RATE_HZ)
            rows.append(row | {"path": f"{text}_{row['path']}", "text": text})


INDEPENDENT = {"protocol.text_independent": True}


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["train", "speaker"])
def test_utterances_that_text_independent_folds_leave_out_are_no_leak(
    study: Study, passes: Callable[[Prepared], None], scope: str
) -> None:
    prepared = study(_texts, **INDEPENDENT, **{"normalisation.scope": scope})
    used = [np.concatenate([fold.train, fold.validation, fold.test]) for fold in prepared.folds]
    assert all(len(one) < len(prepared.corpus.utterances) for one in used)
    passes(prepared)


def test_a_text_on_two_sides_stops_a_text_independent_study(study: Study, refusal: Callable[[Prepared], str]) -> None:
    prepared = study(_texts, **INDEPENDENT)
    tested = prepared.corpus.utterances[int(prepared.folds[1].test[0])]
    trained = {prepared.corpus.utterances[one].speaker for one in prepared.folds[1].train}
    same = [
        number
        for number, one in enumerate(prepared.corpus.utterances)
        if one.text == tested.text and one.speaker in trained
    ]
    planted = replace(prepared.folds[1], train=np.append(prepared.folds[1].train, same[:1]))
    message = refusal(replace(prepared, folds=[prepared.folds[0], planted, prepared.folds[2]]))
    assert message.startswith("leak in corpus manifest, fold 1: ")
    assert f"'{tested.id}' (speaker {tested.speaker}, test)" in message
    assert "have the same text" in message


def test_leaks_are_found_before_any_feature_is_extracted(
    study: Study, refusal: Callable[[Prepared], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def extracted(*arguments: object, **settings: object) -> str:
        raise AssertionError("features were extracted")

    monkeypatch.setattr(trainer, "extract_features", extracted)
    assert "hold the same sound" in refusal(study(_again(_as_flac, "dan")))


# Perturbed copies stand at the places of the utterances that they were made from


@pytest.mark.parametrize(
    ("planted", "message"),
    [
        (lambda sounds: sounds[-1:] + sounds[1:-1] + sounds[:1], r"the copy of '.+' was made from another sound"),
        (lambda sounds: sounds[:-1], "15 copies of 16 utterances"),
    ],
)
def test_a_copy_of_another_speakers_utterance_stops_the_study(
    study: Study,
    refusal: Callable[[Prepared], str],
    monkeypatch: pytest.MonkeyPatch,
    planted: Callable[[tuple[str, ...]], tuple[str, ...]],
    message: str,
) -> None:
    original, opened = FeatureStore.open, 0

    def misplaced(folder: Path) -> FeatureStore:
        nonlocal opened
        opened += 1
        found = original(folder)
        return found if opened == 1 else replace(found, sounds=planted(found.sounds))  # the clean speech comes first

    monkeypatch.setattr(FeatureStore, "open", misplaced)
    found = refusal(study(**{"perturbation.copies": 1, "perturbation.noise_snr_db": 10}))
    assert re.fullmatch(f"leak in corpus manifest: {message}", found), found
