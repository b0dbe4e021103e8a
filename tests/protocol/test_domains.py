"""Alignment, balance and unlabelled speech: what the corpus and its folds refuse, and what the protocol tells."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ser_tune.config import Choice
from ser_tune.corpora import Corpus, Utterance, read_unlabelled
from ser_tune.errors import ConfigError, CorpusError, LeakError
from ser_tune.folds import Fold
from ser_tune.protocol import Protocol
from ser_tune.protocol.domains import refuse_uncounted_sounds, refuse_unfitting_corpora, unlabelled_in_words
from ser_tune.search import define_study
from tests.made_corpora import made_corpus

UNMIXED: dict[str, object] = {"alignment.kind": "adversarial", "augmentation.mixup": False}


def _corpus(*labels: str) -> Corpus:
    names = [(label, number) for label in labels for number in range(3)]
    return made_corpus(
        [Utterance(f"{label}/{number}", Path(), f"{label}:{number}", "anger", corpus=label) for label, number in names]
    )


def _folds(corpus: Corpus, *trained: str) -> list[Fold]:
    train = np.flatnonzero([utterance.corpus in trained for utterance in corpus.utterances])
    rest = np.setdiff1d(np.arange(len(corpus.utterances)), train)
    return [Fold(4, ("a",), ("b",), train, rest[:1], rest[1:])]


@pytest.mark.parametrize(
    ("model", "settings", "corpora", "trained", "problem"),
    [
        (
            "linear_probe",
            {"balance.corpora": 1.0},
            ("",),
            ("",),
            "the study has one corpus",
        ),
        ("linear_probe", {"alignment.kind": "whitening"}, ("a", "b"), ("a",), "fold 4 trains on a alone"),
        ("linear_probe", {"alignment.kind": "coral"}, ("a", "b"), ("a", "b"), "name its folder with --unlabelled DIR"),
        ("light_cnn", {"alignment.kind": "mean_teacher"}, ("",), ("",), "name its folder with --unlabelled DIR"),
        ("light_cnn", UNMIXED, ("a", "b"), ("b",), "fold 4 trains on b alone"),
        ("light_cnn", {"corpus.unlabelled": "speech"}, ("a", "b"), ("a", "b"), "none reads no unlabelled speech"),
    ],
)
def test_settings_that_a_study_lacks_corpora_for_are_refused(
    model: str, settings: dict[str, object], corpora: tuple[str, ...], trained: tuple[str, ...], problem: str
) -> None:
    corpus = _corpus(*corpora)
    definition = define_study(flags={"model.name": model, "features.name": "logmelspec"}, settings=settings)
    with pytest.raises(ConfigError, match=problem):
        refuse_unfitting_corpora(definition, corpus, _folds(corpus, *trained))


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("linear_probe", {"alignment.kind": "whitening", "balance.corpora": 0.5}),
        ("light_cnn", UNMIXED),
        ("light_cnn", {**UNMIXED, "corpus.unlabelled": "speech"}),
    ],
)
def test_settings_that_fit_several_corpora_are_not(model: str, settings: dict[str, object]) -> None:
    corpus = _corpus("a", "b", "c")
    definition = define_study(flags={"model.name": model, "features.name": "logmelspec"}, settings=settings)
    refuse_unfitting_corpora(definition, corpus, _folds(corpus, "a", "b"))


@pytest.mark.parametrize(
    ("model", "settings", "problem"),
    [
        (
            "linear_probe",
            {"alignment.kind": "adversarial"},
            "is solved; expected none, whitening or coral",
        ),
        ("light_cnn", {"alignment.kind": "coral"}, "trained by gradient descent; expected none, adversarial or mean"),
        ("linear_probe", {"alignment.kind": "coral", "alignment.strength": 2}, "expected at most 1, all of the way"),
    ],
)
def test_alignment_of_another_kind_of_model_is_refused(model: str, settings: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        define_study(flags={"model.name": model, "features.name": "logmelspec"}, settings=settings)


def test_a_searched_alignment_is_refused_like_a_chosen_one() -> None:
    corpus = _corpus("a", "b")
    definition = define_study(flags={"model.name": "linear_probe", "features.name": "logmelspec"})
    searching = replace(definition, search={"alignment.kind": Choice(("none", "coral"))})
    with pytest.raises(ConfigError, match="coral needs speech of the target"):
        refuse_unfitting_corpora(searching, corpus, _folds(corpus, "a", "b"))


def test_unlabelled_speech_is_read_by_its_sound_alone(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name, content in (("b.wav", b"2"), ("deep/a.FLAC", b"1"), (".hidden.wav", b"3"), ("notes.txt", b"4")):
        (tmp_path / name).write_bytes(content)
    found = read_unlabelled(tmp_path)
    assert [utterance.id for utterance in found.utterances] == ["b.wav", "deep/a.FLAC"]
    assert found.emotions == ()
    labelled = made_corpus([Utterance("x", tmp_path / "b.wav", "s", "anger")])
    object.__setattr__(labelled, "contents", found.contents[:1])
    words = unlabelled_in_words(found, labelled)
    assert words.startswith("2 recordings, 1 of them of the corpus, SHA-256 ")


def test_a_sound_of_the_corpus_in_another_file_is_refused_and_in_its_own_file_counted(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(name.encode())
    unlabelled, corpus = read_unlabelled(tmp_path), _corpus("x")
    object.__setattr__(corpus, "contents", (unlabelled.contents[0], "other", "another"))
    refuse_uncounted_sounds(unlabelled, corpus, ["1", "4"], ["1", "2", "3"])
    with pytest.raises(LeakError, match=r"b\.wav' has the sound of 'x/1' \(speaker x:1\) in another file, so the prot"):
        refuse_uncounted_sounds(unlabelled, corpus, ["1", "2"], ["1", "2", "3"])


def test_speech_of_the_target_is_told_beside_scores_on_every_corpus() -> None:
    known = Protocol(facts={"unlabelled": "2 recordings", "text_baseline": "0.9", "nobody": "2 of 3"})
    (warning,) = known.warnings_elsewhere
    assert warning in known.warnings
    assert warning.startswith("training reads the sound of 2 recordings: ")
    assert Protocol(facts={"text_baseline": "0.9"}).warnings_elsewhere == ()


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_speech_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match=f"corpus.unlabelled: .*{name}"):
        read_unlabelled(tmp_path / name)
