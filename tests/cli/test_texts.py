"""Spoken texts as a person meets them: the text-only baseline, its warning beside every score, `--text-independent`."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytestmark = pytest.mark.slow

Call = Callable[..., Any]
NAME = "ser-corpus-alex_net"
WARNING = (
    "text leakage: a guess from the training labels of each text, without any sound, scores UAR 1.000, chance 0.500; "
    "a score of this corpus may come from the words"
)


TELLING = {"anger": ("go", "stop"), "joy": ("come", "stay")}
"""Texts of each emotion."""


def _write(folder: Path, texts: dict[str, tuple[str, ...]], speakers: tuple[str, ...] = ("ada", "bob", "cyd")) -> Path:
    """Speakers who speak some texts in each emotion."""
    folder.mkdir()
    rows = [("path", "speaker", "emotion", "text")]
    for speaker in speakers:
        for emotion, own in texts.items():
            for text in own:
                name = f"{speaker}_{emotion}_{text}.wav"
                rng = np.random.default_rng(len(rows))
                tone = np.sin(2 * np.pi * (1200 if emotion == "anger" else 400) * np.arange(5600) / 16_000)
                soundfile.write(folder / name, 0.2 * tone + rng.normal(0.0, 0.05, 5600), 16_000)
                rows.append((name, speaker, emotion, text))
    with (folder / "corpus.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / "corpus.csv"


@pytest.fixture
def telling(tmp_path: Path) -> Path:
    """A corpus whose texts tell the emotion."""
    return _write(tmp_path / "telling", TELLING)


@pytest.fixture
def neutral(tmp_path: Path) -> Path:
    """A corpus whose texts tell nothing."""
    return _write(tmp_path / "neutral", dict.fromkeys(("anger", "joy"), ("go", "stop", "come", "stay")))


def _train(study_file: Path, table: Path, *others: str) -> tuple[Any, ...]:
    quick = ("--set", "training.epochs=1", "--set", "training.batch_size=8")
    return ("train", study_file, "--corpus", "manifest", "--data", table, *quick, *others)


def test_a_warning_accompanies_every_score_where_the_words_tell_the_emotion(
    call: Call, root: Path, study_file: Path, telling: Path
) -> None:
    told = call(root, *_train(study_file, telling, "--name", "one"))
    assert told.code == 0, told.err
    assert "note: text-only baseline: UAR 1.000, chance 0.500" in told.err.splitlines()
    assert f"note: {WARNING}" in told.err.splitlines()
    assert f"warning: {WARNING}" in told.out.splitlines()
    # Beside what is stored
    (version,) = json.loads(call(root, "models", "--json").out)
    assert version["warnings"] == WARNING
    below = f"warning: protocol {version['fingerprint']}: {WARNING}"
    assert call(root, "models").out.splitlines()[-1] == below
    compared = call(root, "compare", "one", NAME)
    assert f"warning: {WARNING}" in compared.out.splitlines()
    (found,) = json.loads(call(root, "compare", "one", NAME, "--json").out)
    assert found["warnings"] == [WARNING]
    assert call(root, "leaderboard").out.splitlines()[-1] == below
    assert call(root, "leaderboard", "--format", "markdown").out.splitlines()[-1] == below
    (row,) = json.loads(call(root, "leaderboard", "--format", "json").out)
    assert row["warnings"] == WARNING
    assert list(csv.DictReader(io.StringIO(call(root, "leaderboard", "--format", "csv").out))) == [row]


def test_a_version_and_its_run_keep_the_warning(call: Call, root: Path, study_file: Path, telling: Path) -> None:
    from mlflow import MlflowClient

    assert call(root, *_train(study_file, telling)).code == 0
    client = MlflowClient(f"sqlite:///{root}/mlruns/mlflow.db", f"sqlite:///{root}/mlruns/mlflow.db")
    version = client.get_model_version(NAME, "1")
    assert f"- T{WARNING[1:]}.\n" in version.description
    assert "- Text-only baseline: UAR 1.000, chance 0.500.\n" in version.description
    tags = client.get_run(version.run_id).data.tags
    assert tags["protocol.text_baseline"] == "UAR 1.000, chance 0.500"
    assert tags["ser_tune.notes"] == f"text-only baseline: UAR 1.000, chance 0.500; {WARNING}"


@pytest.mark.slow
def test_ablations_and_nested_searches_warn_as_well(
    call: Call, root: Path, study_file: Path, telling: Path, tmp_path: Path
) -> None:
    arguments = _train(study_file, telling)[1:]
    told = call(root, "ablate", *arguments, "--change", "optimizer.learning_rate=0.01", "--seeds", "1")
    assert told.out.splitlines()[-1] == f"warning: {WARNING}", told.err
    arguments = _train(study_file, _write(tmp_path / "more", TELLING, ("ada", "bob", "cyd", "dan")))[1:]
    each = ("--set", "protocol.folds=none", "--trials", "1", "--name", "nested", "--nested")
    told = call(root, "study", *arguments, *each)
    assert f"warning: {WARNING}" in told.out.splitlines(), told.err


def test_a_text_independent_training_goes_all_the_way(call: Call, root: Path, study_file: Path, neutral: Path) -> None:
    told = call(root, *_train(study_file, neutral, "--text-independent", "--name", "apart"))
    assert told.code == 0, told.err
    assert f"registered: {NAME} version 1 as champion (there was no champion before)" in told.out.splitlines()
    assert "warning" not in told.out
    (found,) = json.loads(call(root, "compare", "apart", NAME, "--on", "test", "--json").out)
    # Every speaker is tested on one of four texts, in both emotions
    assert sum(map(sum, found["confusions"][0])) == 6
    assert ": identical, " in call(root, "replay", "apart:0").out
    other = call(root, *_train(study_file, neutral, "--name", "together"))
    assert other.code == 0, other.err
    refused = call(root, "compare", "apart", "together")
    assert refused.code == 2
    assert "texts is 'no text on two sides, SHA-256 " in refused.err


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (("--holdout", "cyd"), "protocol.text_independent and protocol.holdout exclude each other: speakers that are"),
        (("--set", "protocol.emotions=[anger]"), "has 1 emotion(s)"),
    ],
)
def test_what_text_independent_folds_exclude_ends_with_2(
    call: Call, root: Path, study_file: Path, neutral: Path, others: tuple[str, ...], message: str
) -> None:
    told = call(root, *_train(study_file, neutral, "--text-independent", *others))
    assert (told.code, told.out) == (2, "")
    assert message in told.err


def test_a_nested_study_is_not_text_independent(call: Call, root: Path, study_file: Path, neutral: Path) -> None:
    command = ("study", study_file, "--corpus", "manifest", "--data", neutral, "--nested", "--text-independent")
    told = call(root, *command)
    assert (told.code, told.out) == (2, "")
    assert "a nested study holds speakers out, and these speak texts that were trained on; leave out" in told.err


def test_a_corpus_without_texts_has_no_text_independent_folds(
    call: Call, root: Path, study_file: Path, corpus_csv: Path
) -> None:
    told = call(root, *_train(study_file, corpus_csv, "--text-independent"))
    assert (told.code, told.out) == (2, "")
    assert "the text of 'ada_anger_0.wav' is not known, and text-independent folds need every text" in told.err


def test_a_check_tells_the_baseline_and_warns(call: Call, tmp_path: Path, telling: Path, neutral: Path) -> None:
    told = call(tmp_path, "corpus", "check", "manifest", "--data", neutral)
    assert told.out.splitlines()[-3:] == [
        "4 texts; text-only baseline: UAR 0.500, chance 0.500",
        "speaker-mean baseline: UAR 0.500, chance 0.500",
        "manifest, task all: nothing is wrong, 0 warnings",
    ]
    told = call(tmp_path, "corpus", "check", "manifest", "--data", telling)
    assert (told.code, told.out.splitlines()[-7:]) == (
        0,
        [
            "4 texts; text-only baseline: UAR 1.000, chance 0.500",
            "speaker-mean baseline: UAR 0.500, chance 0.500",
            "warnings: 2 few, 1 text",
            "warning: few: fewer than 10 recordings (emotion): anger (6); joy (6)",
            "warning: few: fewer than 5 recordings (speaker): ada (4); bob (4); cyd (4)",
            f"warning: text: {WARNING}",
            "manifest, task all: nothing is wrong, 3 warnings",
        ],
    )
    found = json.loads(call(tmp_path, "corpus", "check", "manifest", "--data", telling, "--json").out)
    assert found["texts"] == 4
    assert found["text_baseline"] == {"uar": 1.0, "interval": None, "chance": 0.5, "above_chance": True}
    assert [(one["kind"], one["wrong"]) for one in found["problems"]] == [
        ("few", False),
        ("few", False),
        ("text", False),
    ]


def test_a_corpus_that_cannot_be_folded_is_checked_without_a_baseline(call: Call, tmp_path: Path) -> None:
    for number, name in enumerate(
        f"{speaker}_back_{emotion}" for speaker in ("OAF", "YAF") for emotion in ("sad", "ps")
    ):
        soundfile.write(tmp_path / f"{name}.wav", np.random.default_rng(number).normal(0, 0.1, 1600), 16_000)
    told = call(tmp_path, "corpus", "check", "tess", "--data", tmp_path)
    assert (
        "warning: study: no study is possible: corpus tess has 2 speaker(s) to fold (OAF, YAF); 3 speaker-independent "
        "folds need at least 3"
    ) in told.out.splitlines()
    found = json.loads(call(tmp_path, "corpus", "check", "tess", "--data", tmp_path, "--json").out)
    assert found["text_baseline"] is None
