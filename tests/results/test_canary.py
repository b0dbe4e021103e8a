"""A canary: other recordings and labels of the speakers who are tested change nothing that was chosen or trained."""

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import soundfile

from tests.project_copies import copy_project

pytestmark = pytest.mark.slow

SPEAKERS = ("ada", "bob", "cyd", "dan")
TESTED = "dan"
SMALL = """
model: {name: light_cnn, width: 0.1}
features: {name: logmelspec, n_mels: 32, hop_s: 0.01}
segments: {frames: 32}
training: {epochs: 2, batch_size: 4, precision: float32, device: cpu}
protocol: {folds: none}
"""
SOLVED = """
model: {name: linear_probe}
features: {name: opensmile, set: eGeMAPSv02}
protocol: {folds: none}
"""
ADAPTED = ("--set", "normalisation.scope=speaker", "--set", "normalisation.batch_norm=speaker")
STUDIES: dict[str, tuple[str, Sequence[str]]] = {
    "a solved model": (SOLVED, ("--trials", "4", "--holdout", TESTED)),
    "a network": (SMALL, ("--trials", "2", "--holdout", TESTED, "--set", "study.confirm=0")),
    "statistics by speaker": (SMALL, ("--trials", "2", "--holdout", TESTED, *ADAPTED, "--set", "study.confirm=0")),
    "a confirmation": (SMALL, ("--trials", "4", "--holdout", TESTED, "--set", "study.confirm=0.5")),
}


@pytest.fixture(scope="module")
def tables(make_corpus: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A corpus, and the same corpus but for dan's recordings, which are others, longer ones, with swapped labels."""
    folders = [tmp_path_factory.mktemp("corpus") / name for name in ("original", "replaced")]
    original, replaced = (make_corpus(folder, SPEAKERS) for folder in folders)
    with replaced.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rng = np.random.default_rng(7)
    for row in rows:
        if row["speaker"] == TESTED:
            row["emotion"] = {"anger": "joy", "joy": "anger"}[row["emotion"]]
            soundfile.write(replaced.parent / row["path"], 0.3 * rng.uniform(-1, 1, 9000), 16_000)
    with replaced.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return original, replaced


@pytest.fixture
def run_on(call: Callable[..., Any], databases: Path, tmp_path: Path) -> Callable[..., list[Path]]:
    """Run one study with the options of each corpus; returns the projects."""

    def _run_on(corpora: Sequence[Sequence[str]], content: str, *options: str) -> list[Path]:
        file = tmp_path / "canary.yaml"
        file.write_text(content, encoding="utf-8")
        roots = []
        for number, corpus in enumerate(corpora):
            root = copy_project(databases, tmp_path / f"project {number}")
            told = call(root, "study", file, *corpus, "--name", "canary", *options)
            assert told.code == 0, told.err
            roots.append(root)
        return roots

    return _run_on


@pytest.fixture
def run(run_on: Callable[..., list[Path]], tables: tuple[Path, Path]) -> Callable[..., list[Path]]:
    """Run one study on the corpus, and on the other one; returns the two projects."""
    corpora = [("--corpus", "manifest", "--data", str(table)) for table in tables]
    return lambda content, *options: run_on(corpora, content, *options)


def _trials(root: Path, name: str) -> list[str]:
    """Every trial of a study: its parameters, state, value and the values reported on the way."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{root}/studies/optuna.db")
    trials = optuna.load_study(study_name=name, storage=storage).trials
    return [
        json.dumps([trial.number, trial.params, trial.state.name, trial.value, trial.intermediate_values])
        for trial in trials
    ]


def _weights(root: Path) -> Counter[str]:
    """Digests of all stored weights, of which there are some."""
    files = list((root / "mlruns").rglob("*.safetensors"))
    assert files
    return Counter(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)


@pytest.mark.parametrize(("content", "options"), STUDIES.values(), ids=STUDIES.keys())
def test_speakers_who_are_held_out_choose_neither_trials_nor_weights(
    run: Callable[..., list[Path]], content: str, options: Sequence[str]
) -> None:
    original, replaced = run(content, *options)
    assert _trials(original, "canary") == _trials(replaced, "canary")
    assert _weights(original) == _weights(replaced)
    # The replaced speaker was scored: the canary was there
    scores = [(root / "mlruns").rglob("holdout_predictions.csv") for root in (original, replaced)]
    texts = [sorted(file.read_text(encoding="utf-8") for file in files) for files in scores]
    assert texts[0] != texts[1]
    assert texts[0]


def test_the_test_speaker_of_a_users_fold_chooses_nothing(run: Callable[..., list[Path]], tmp_path: Path) -> None:
    sides = {"ada": "train", "bob": "train", "cyd": "validation", TESTED: "test"}
    names = [f"{speaker}_{emotion}_{n}.wav" for speaker in SPEAKERS for emotion in ("anger", "joy") for n in (0, 1)]
    table = tmp_path / "folds.csv"
    rows = [f"{name},1,{sides[name.partition('_')[0]]}" for name in names]
    table.write_text("\n".join(["path,fold,split", *rows]), encoding="utf-8")
    original, replaced = run(SMALL, "--trials", "2", "--folds", str(table), *ADAPTED, "--set", "study.confirm=0")
    assert _trials(original, "canary") == _trials(replaced, "canary")
    assert _weights(original) == _weights(replaced)


def test_the_outer_speakers_of_a_nested_study_choose_nothing_in_their_search(run: Callable[..., list[Path]]) -> None:
    original, replaced = run(SOLVED, "--trials", "3", "--nested")
    own = f"canary-outer{SPEAKERS.index(TESTED):02d}"
    assert _trials(original, own) == _trials(replaced, own)
    assert _trials(original, "canary-outer00") != _trials(replaced, "canary-outer00")  # dan trains and validates there


@pytest.fixture(scope="module")
def unions(tables: tuple[Path, Path], make_corpus: Callable[..., Path]) -> Sequence[Sequence[str]]:
    """Options of a union of `home` and `away`; in the second, all of `away` has other sound and swapped labels."""
    home, options = tables[0].parent / "home.csv", []
    home.write_text(tables[0].read_text(encoding="utf-8"), encoding="utf-8")
    for number, folder in enumerate(table.parent / "elsewhere" for table in tables):
        with make_corpus(folder, ("eva", "fay", "gus")).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        rng = np.random.default_rng(number)
        for row in rows:
            row["emotion"] = {"anger": "joy", "joy": "anger"}[row["emotion"]] if number else row["emotion"]
            soundfile.write(folder / row["path"], 0.3 * rng.uniform(-1, 1, 9000), 16_000)
        with (folder / "away.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        options.append(("--corpus", f"manifest={home}", "--corpus", f"manifest={folder / 'away.csv'}"))
    return options


@pytest.mark.parametrize(
    ("content", "name", "options"),
    [
        (SOLVED, "canary-outer00", ("--scheme", "leave-one-corpus-out", "--nested", "--trials", "3")),
        (SMALL, "canary", ("--scheme", "train-test", "--test-corpus", "away", "--trials", "1")),
    ],
    ids=["nested", "train-test"],
)
def test_a_held_out_corpus_chooses_neither_trials_nor_weights(
    run_on: Callable[..., list[Path]],
    unions: Sequence[Sequence[str]],
    content: str,
    name: str,
    options: Sequence[str],
) -> None:
    content = content.replace("protocol: {folds: none}\n", "")
    original, replaced = run_on(unions, content, *options, "--set", "normalisation.scope=corpus")
    assert _trials(original, name) == _trials(replaced, name)
    if name == "canary":
        assert _weights(original) == _weights(replaced)
    else:  # the other search trains on the corpus
        assert _trials(original, "canary-outer01") != _trials(replaced, "canary-outer01")
        of_search = 3 * len(SPEAKERS)  # trials and folds, each of a speaker of `home`
        assert (_weights(original) & _weights(replaced)).total() == of_search
    side = "test" if name == "canary" else "holdout"
    predicted = [sorted((root / "mlruns").rglob(f"{side}_predictions.csv")) for root in (original, replaced)]
    texts = [sorted(file.read_text(encoding="utf-8") for file in files) for files in predicted]
    assert texts[0]
    assert texts[0] != texts[1]
