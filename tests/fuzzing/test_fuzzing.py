"""Damaged files and requests are used or refused in one sentence: no traceback, no hang, nothing half-written.

`SER_TUNE_FUZZ=1000 python -m pytest -n 0 tests/fuzzing` tries as many audio files and manifests, four times as many
settings, and a fifth as many requests. A seed always gives the same mutation.
"""

import csv
import importlib
import io
import json
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from ser_tune.audio import read_speech
from ser_tune.corpora import CORPORA
from ser_tune.corpora.manifest import ALLOWED_FOLDERS
from ser_tune.errors import SerTuneError
from ser_tune.features import FEATURE_SETS
from ser_tune.search import define_study, read_assignments
from ser_tune.search.assembly import SHIPPED

pytestmark = pytest.mark.slow

COUNT = int(os.environ.get("SER_TUNE_FUZZ", "150"))
LONGEST_S = 10.0
"""More is a hang."""
FORMATS = (
    *(("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "PCM_U8"), ("FLAC", "PCM_16")),
    *(("OGG", "VORBIS"), ("AIFF", "PCM_24"), ("MP3", "MPEG_LAYER_III")),
)
SPECIAL = (b"\x00", b"\xff", b"\x7f", b"\x80", b"RIFF", b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", b"NaN")
CELLS = (
    *("", " ", '"', ",", "\n", "\x00", "nan", "-1", "1e400", "..", "/", "\ufeff"),
    *("💥", "a" * 300, "=1+1", "'", "0.1"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1e308, float("nan"), "", " ", "a" * 10_000, "/etc/passwd"),
    *("/", "\x00", "💥", [], {}, [[]]),
    *([0.0] * 10, [None] * 10, ["a"], [1e308] * 5000, [[0.1, 0.2]] * 10, [0.1] * 100_000, list(range(3000))),
    *({"a": 1}, [{"a": 1}], [float("inf")] * 3000, [0.1], [[[0.1]]], 16_000, 44_100, 10**30),
)
"""Cells of a request, most of which make no sense anywhere."""


PATHS = (
    *("training.epochs", "training", "optimizer.learning_rate", "optimizer", "optimizer.name", "model.name", "model"),
    *("features.name", "features.n_mels", "loss.name", "corpus.name", "corpus.data", "protocol.holdout", "protocol"),
    *(
        "protocol.merge",
        "study.trials",
        "study.keep_models",
        "study.warm_start",
        "name",
        "seed",
        "search",
        "x",
        "",
        ".",
    ),
    *("search.training.epochs", "a.b.c", "training.epochs.x", "\x1b", "augmentation.mixup", "__class__"),
)
SETTINGS = (
    *("!!timestamp x", "!!timestamp 2026-01-01", "9" * 5000, "[" * 3000, "{a: " * 3000, "[" * 999 + "]" * 999),
    *("&a [*a]", "&a {x: *a}", "!!int x", "!!int ''", "!!float x", "!!bool x", "!!binary x", "!!set {a}", "0x"),
    *("!!python/object:os.system x", f"0x{'f' * 5000}", f"0o{'7' * 5000}", "1:" * 2000, "1e400", ".nan", "-.inf"),
    *("2026-01-01", "2026-13-45", "\x00", "\x1b[2J", "null", "[]", "{}", "[[]]", "{1: 2}", "{[a]: b}", "? [x]", "'"),
    *('"\\x00"', "*a", "&a", "<<: {a: 1}", "{<<: 1}", "%", "@", "|", "--- a\n--- b", "yes", "1_000", "08", "💥"),
    *(
        "a" * 10_000,
        "1" * 200,
        "{low: 1, high: 2}",
        "{low: !!int x}",
        "{choices: [[], {}]}",
        "[1, a, null]",
        "{low: .nan}",
    ),
)
"""Values that YAML can hold, and that it cannot."""


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Flip, overwrite, cut, repeat or insert some bytes, more often near the start, where headers are."""
    mutated = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        place = int(rng.integers(0, max(1, min(len(mutated), int(10 ** rng.uniform(1, 4))))))
        match rng.integers(0, 6):
            case 0:
                mutated[place : place + 1] = bytes([int(rng.integers(0, 256))])
            case 1:
                piece = SPECIAL[int(rng.integers(0, len(SPECIAL)))]
                mutated[place : place + len(piece)] = piece
            case 2:
                del mutated[place:]
            case 3:
                del mutated[place : place + int(rng.integers(1, 64))]
            case 4:
                mutated[place:place] = rng.bytes(int(rng.integers(1, 64)))
            case _:
                mutated[place:place] = mutated[place : place + int(rng.integers(1, 64))]
    return bytes(mutated)


def write_damaged_audio(seed: int, path: Path) -> None:
    """Write a damaged sound file of some format."""
    rng = np.random.default_rng(seed)
    container, subtype = FORMATS[int(rng.integers(0, len(FORMATS)))]
    rate = int(rng.choice([8_000, 16_000, 44_100]))
    samples = rng.normal(0, 0.1, (int(rng.integers(1, rate)), int(rng.integers(1, 3))))
    if subtype == "FLOAT":  # what only floats can hold
        samples[rng.integers(0, len(samples), 3)] = rng.choice([np.nan, np.inf, 1e30, 0.0])
    soundfile.write(path, samples, rate, format=container, subtype=subtype)
    path.write_bytes(damaged(path.read_bytes(), rng))


def damaged_manifest(seed: int, table: str) -> bytes:
    """Damage a CSV: its cells, its columns, its lines, or its bytes."""
    rng = np.random.default_rng(seed)
    rows = [line.split(",") for line in table.splitlines()]
    for _ in range(int(rng.integers(1, 4))):
        row = rows[int(rng.integers(0, len(rows)))]
        column = int(rng.integers(0, max(1, len(row))))
        match rng.integers(0, 7):
            case 0 if row:
                row[column] = CELLS[int(rng.integers(0, len(CELLS)))]
            case 1 if row:
                del row[column]
            case 2:
                row.insert(column, CELLS[int(rng.integers(0, len(CELLS)))])
            case 3:
                del rows[int(rng.integers(0, len(rows))) :]
                rows = rows or [[""]]
            case 4:
                rows.insert(0, list(row))
            case 5:
                rows[0] = [*rows[0], *rng.choice(["start", "end", "session", "meta_x", "text"], 2)]
                rows[1:] = [[*one, *rng.choice(["0", "0.1", "9", "-1", "x", ""], 2)] for one in rows[1:]]
            case _:
                rows.append(list(row))
    content = "\n".join(",".join(row) for row in rows).encode()
    return damaged(content, rng) if rng.random() < 0.3 else content


def malformed_row(seed: int) -> dict[str, Any]:
    """A row of a request, as JSON can carry it."""
    rng = np.random.default_rng(seed)
    names = rng.permutation(["path", "waveform", "sample_rate_hz", "speaker", "unknown"])[: int(rng.integers(0, 6))]
    row = {str(name): VALUES[int(rng.integers(0, len(VALUES)))] for name in names}
    carried: dict[str, Any] = json.loads(json.dumps(row))
    return carried


def refusal_of(seed: int, action: Callable[[], Any], refusals: tuple[type[Exception], ...] = (SerTuneError,)) -> str:
    """Run something; returns the sentence that refuses it, or nothing where it is accepted."""
    start, refusal = time.perf_counter(), ""
    try:
        action()
    except refusals as error:
        refusal = str(error)
        assert refusal.strip(), f"seed {seed}: no sentence"
        assert len(refusal) < 1_100, f"seed {seed}: {len(refusal)} characters: {refusal[:200]}"
        assert not {"Traceback", "Error("} & set(refusal.split()), f"seed {seed}: {refusal}"
    assert time.perf_counter() - start < LONGEST_S, f"seed {seed} took too long"
    return refusal


def damaged_setting(seed: int) -> tuple[str, str]:
    """The path of a setting, or of a section, or of nothing, and YAML that seldom is what it should be."""
    rng = np.random.default_rng(seed)
    path = PATHS[int(rng.integers(0, len(PATHS)))]
    value = SETTINGS[int(rng.integers(0, len(SETTINGS)))]
    if rng.random() < 0.3:
        value = damaged(value.encode(), rng).decode("utf-8", "replace")
    return path, value


def test_damaged_settings_and_study_files_are_used_or_refused_in_a_sentence(tmp_path: Path) -> None:
    file, refused = tmp_path / "study.yaml", 0
    shipped = [path.read_bytes() for path in sorted(SHIPPED.glob("*.yaml"))]
    for seed in range(4 * COUNT):
        rng, (path, value) = np.random.default_rng(seed), damaged_setting(seed)
        flags = {"model.name": str(rng.choice(["light_cnn", "linear_probe"]))}
        if seed % 4 == 0:
            file.write_bytes(damaged(shipped[seed // 4 % len(shipped)], rng))
        else:
            file.write_text(f"model: {{name: light_cnn}}\n{path}: {value}\n", encoding="utf-8")
        as_file = seed % 2 == 0

        def define(path: str = path, value: str = value, flags: Any = flags, as_file: bool = as_file) -> None:
            if as_file:
                define_study(file)
            else:
                define_study(flags=flags, settings=read_assignments([f"{path}={value}"]))

        refused += bool(refusal_of(seed, define))
    assert 2 * COUNT < refused < 4 * COUNT


def test_damaged_sound_files_are_read_or_refused_in_a_sentence(tmp_path: Path) -> None:
    mel, refused = FEATURE_SETS.get("logmelspec"), 0
    settings = mel.settings.model_validate({})
    for seed in range(COUNT):
        path = tmp_path / f"{seed}.wav"
        write_damaged_audio(seed, path)

        def read(path: Path = path) -> None:
            speech = read_speech(path)
            assert (speech.dtype, speech.ndim) == (np.float32, 1)
            assert np.isfinite(speech).all()
            assert np.isfinite(mel.extract(speech, settings)).all()

        refusal = refusal_of(seed, read)
        assert not refusal or str(path) in refusal or "shorter than one window" in refusal, f"seed {seed}: {refusal}"
        refused += bool(refusal)
        path.unlink()
    assert 0.2 * COUNT < refused < COUNT


def test_damaged_manifests_are_read_or_refused_in_a_sentence_with_their_name(
    corpus_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOWED_FOLDERS, str(corpus_csv.parent))
    rows = list(csv.reader(io.StringIO(corpus_csv.read_text(encoding="utf-8"))))
    absolute = [rows[0], *([str(corpus_csv.parent / row[0]), *row[1:]] for row in rows[1:])]
    text, path, refused = "\n".join(",".join(row) for row in absolute), tmp_path / "damaged.csv", 0
    for seed in range(COUNT):
        path.write_bytes(damaged_manifest(seed, text))
        refusal = refusal_of(seed, lambda: CORPORA.get("manifest").read(path, tmp_path))
        assert not refusal or str(path) in refusal, f"seed {seed}: {refusal}"
        refused += bool(refusal)
    assert 0.2 * COUNT < refused < COUNT
    assert [one.name for one in tmp_path.iterdir()] == ["damaged.csv"]


def test_corpora_of_damaged_files_are_checked_or_refused_by_the_command_line(
    make_corpus: Callable[..., Path], call: Callable[..., Any], root: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    table = make_corpus(folder)
    text, sounds = table.read_text(encoding="utf-8"), sorted(folder.glob("*.wav"))
    before = sorted(root.rglob("*"))
    codes = set()
    for seed in range(COUNT // 10):
        write_damaged_audio(seed, sounds[seed % len(sounds)])
        table.write_bytes(damaged_manifest(seed, text) if seed % 2 else text.encode())
        told = call(root, "corpus", "check", "manifest", "--data", table)
        codes.add(told.code)
        assert "Traceback" not in told.err
        if told.code == 2:
            assert told.err.startswith("error: ")
            assert told.err.count("\n") == 1
    assert 2 in codes
    assert codes <= {0, 1, 2}
    assert sorted(root.rglob("*")) == before


def test_malformed_requests_are_answered_or_refused_in_a_sentence(
    finished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow
    from mlflow.exceptions import MlflowException

    from ser_tune.project import Project
    from ser_tune.tracking import Workspace

    monkeypatch.setenv("SER_TUNE_ROOT", str(finished.root))
    Workspace(Project.locate()).client.search_experiments()
    model = mlflow.pyfunc.load_model("models:/ser-manifest-alex_net@champion")
    package = model.unwrap_python_model().package.__name__.partition(".")[0]
    errors = importlib.import_module(f"{package}.errors")  # of the model's own copy
    refused, count = 0, max(30, COUNT // 5)
    for seed in range(count):
        rows = [malformed_row(seed), *([malformed_row(seed + 100_000)] if seed % 3 == 0 else [])]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's and MLflow's about such values
            refusal = refusal_of(
                seed,
                lambda rows=rows: model.predict(pd.DataFrame(rows)),  # type: ignore[misc]
                (errors.SerTuneError, ValueError, MlflowException),
            )
        refused += bool(refusal)
    assert 0.5 * count < refused <= count
