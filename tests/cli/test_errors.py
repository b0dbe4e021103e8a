"""What a user can mend ends with code 2 and one line on standard error; nothing is stored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import soundfile

from ser_tune.cli import main

Call = Callable[..., Any]


def _nothing_stored(root: Path) -> None:
    assert optuna.get_all_study_names(f"sqlite:///{root}/studies/optuna.db") == []
    assert not (root / "mlruns" / "artifacts").exists()


@pytest.fixture
def emodb(tmp_path: Path) -> Path:
    """Six speakers with two emotions each, as EmoDB names its files."""
    folder = tmp_path / "emodb" / "wav"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for speaker in ("03", "08", "09", "10", "11", "12"):
        for letter in "WT":
            soundfile.write(folder / f"{speaker}a01{letter}a.wav", rng.normal(0, 0.1, 6000), 16_000)
    return folder.parent


@pytest.mark.parametrize(
    ("data", "message"),
    [("missing", "'missing' is not a folder; expected the folder that holds wav/"), (".", "no .wav files in '.'")],
)
def test_a_missing_or_empty_corpus_folder(call: Call, root: Path, data: str, message: str) -> None:
    call(root, "study", "--model", "alex_net", "--corpus", "emodb", "--data", data).refused(message)
    _nothing_stored(root)


def test_a_corpus_without_its_folder(call: Call, root: Path) -> None:
    call(root, "study", "--model", "alex_net", "--corpus", "emodb").refused("pass --data DIR")


def test_an_unknown_emotion_letter(call: Call, root: Path, emodb: Path) -> None:
    (emodb / "wav" / "03a01Wa.wav").rename(emodb / "wav" / "03a01Xa.wav")
    told = call(root, "study", "--model", "alex_net", "--corpus", "emodb", "--data", emodb)
    told.refused("03a01Xa.wav: unknown emotion letter 'X'; expected one of A, E, F, L, N, T, W")


def test_fewer_speakers_than_folds(call: Call, root: Path, emodb: Path) -> None:
    told = call(root, "study", "--model", "alex_net", "--corpus", "emodb", "--data", emodb)
    told.refused("has 6 speaker(s) to fold (03, 08, 09, 10, 11, 12); 10 speaker-independent folds need at least 10")
    _nothing_stored(root)


def test_a_single_speaker(
    call: Call, root: Path, make_corpus: Callable[..., Path], tmp_path: Path, study_file: Path
) -> None:
    table = make_corpus(tmp_path / "one", ["ada"])
    told = call(root, "study", study_file, "--corpus", "manifest", "--data", table)
    told.refused("has 1 speaker(s) to fold (ada); 3 speaker-independent folds need at least 3")


def _text(path: Path) -> None:
    path.write_text("this is no sound", encoding="utf-8")


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:4000])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _silent(path: Path) -> None:
    soundfile.write(path, np.zeros(6000), 16_000)


def _short(path: Path) -> None:
    soundfile.write(path, np.full(700, 0.1), 16_000)


def _not_finite(path: Path) -> None:
    samples = np.full(6000, 0.1, dtype=np.float32)
    samples[100] = np.nan
    soundfile.write(path, samples, 16_000, subtype="FLOAT")


BROKEN = {
    _text: "cannot be decoded as audio",
    _truncated: "is truncated",
    _empty: "is empty; expected a sound file",
    _silent: "is silent: all of its 6000 samples are zero",
    _short: "is shorter than one window",
    _not_finite: "holds samples that are not finite numbers",
}


@pytest.mark.parametrize(("break_file", "message"), BROKEN.items(), ids=[one.__name__[1:] for one in BROKEN])
def test_a_recording_that_cannot_be_used(
    call: Call,
    finished: Any,
    root: Path,
    make_corpus: Callable[..., Path],
    tmp_path: Path,
    study_file: Path,
    break_file: Callable[[Path], None],
    message: str,
) -> None:
    """By a study, which stores nothing of it, and by a registered model."""
    table = make_corpus(tmp_path / "corpus")
    path = table.parent / "bob_joy_1.wav"
    break_file(path)
    told = call(root, "study", study_file, "--corpus", "manifest", "--data", table)
    told.refused(message)
    told.refused("bob_joy_1.wav")
    _nothing_stored(root)
    told = call(finished.root, "predict", "ser-manifest-alex_net", path)
    told.refused(message)
    told.refused("bob_joy_1.wav")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle: {name: alex_net}", "unknown key 'modle'; expected one of: "),
        ("training: {epochs: many}", "training.epochs is 'many'"),
        ("search: {model.dropout: {low: 0.0, high: 2.0}}", "search.model.dropout includes 2.0"),
        ("a: [", "is not YAML"),
        (None, "does not exist"),
    ],
)
def test_a_bad_study_file(call: Call, root: Path, tmp_path: Path, text: str | None, message: str) -> None:
    file = tmp_path / "study.yaml"
    if text is not None:
        file.write_text(text)
    told = call(root, "study", file, "--model", "alex_net")
    told.refused(message)
    told.refused(str(file))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("study",), "no architecture given; pass --model NAME or a study file"),
        (("study", "--model", "nosuch"), "unknown architecture 'nosuch'; choose from: 3d_acrnn, alex_net, attentiv"),
        (
            ("study", "--model", "alex_net", "--corpus", "x"),
            "unknown corpus 'x'; choose from: aesdd, ased, cafe, cmu_mosei, crema_d, demo, emodb",
        ),
        (
            ("study", "--model", "alex_net", "--features", "x"),
            "unknown feature set 'x'; choose from: encoder, logmelde",
        ),
        (("study", "--model", "alex_net", "--sampler", "x"), "unknown sampler 'x'; choose from: BruteForceS"),
        (("study", "--model", "alex_net", "--pruner", "x"), "unknown pruner 'x'; choose from: HyperbandPr"),
        (("study", "--model", "alex_net", "--trials", "0"), "study.trials is 0"),
        (("study", "--model", "alex_net", "--keep-models", "some"), "study.keep_models is 'some'"),
        (("study", "--model", "alex_net", "--set", "training.epochs"), "is not an assignment"),
        (("train", "--model", "alex_net", "--set", "a=["), "has no YAML value"),
        (("options", "--model", "nosuch"), "unknown architecture 'nosuch'"),
        (("options", "--model", ""), "unknown architecture ''"),
        (("leaderboard", "--corpus", ""), "unknown corpus ''"),
        (("extract", "--out", "x.txt"), "expected a name that ends in .npz or .pkl"),
        (("extract", "--out", "no/x.npz"), "in an existing folder"),
        (
            ("extract", "--out", "x.npz", "--set", "perturbation.copies=1", "--set", "perturbation.gain_db=3"),
            "perturbation.copies is 1, but an export holds clean speech only; expected 0",
        ),
        (("promote", "nobody"), "no study 'nobody' in sqlite"),
        (("predict", "nobody", "a.wav"), "no registered model 'nobody'; there are: none"),
        (("models", "--tracking-uri", "./mlruns"), "the tracking store './mlruns' cannot be opened"),
        (("promote", "x", "--storage", "nonsense"), "the study database 'nonsense' cannot be opened"),
    ],
)
def test_a_bad_argument(call: Call, root: Path, arguments: tuple[str, ...], message: str) -> None:
    call(root, *arguments).refused(message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("predict", "nobody", "a.wav"), "there are: ser-manifest-alex_net"),
        (("predict", "ser-manifest-alex_net@king", "a.wav"), "has no alias 'king'; it has: champion"),
        (("predict", "ser-manifest-alex_net/9", "a.wav"), "has no version '9'; it has: 1"),
        (("predict", "ser-manifest-alex_net", "no.wav"), "no.wav does not exist"),
        (("promote", "second"), "it has: first"),
        (("promote", "first", "--trial", "9"), "no complete trial 9; complete are: 0, 1, 2"),
        (("promote", "first", "--data", "x"), "corpus manifest: 'x' does not exist"),
        (("confirm", "first", "--data", "x"), "corpus manifest: 'x' does not exist"),
        (("promote", "first", "--as", "a b"), "'a b' cannot be a registered model's name"),
        (("promote", "first", "--as", "."), "'.' cannot be a registered model's name"),
    ],
)
def test_a_name_that_does_not_exist_is_answered_with_what_does(
    call: Call, finished: Any, arguments: tuple[str, ...], message: str
) -> None:
    call(finished.root, *arguments).refused(message)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--set", "normalisation.scope=utterance"), "normalisation_scope is 'utterance', not 'train'"),
        (("--model", "fcn_attention"), "model.name is 'fcn_attention', not 'alex_net'"),
        (("--corpus", "demo"), "corpus is 'demo', not 'manifest'"),
    ],
    ids=["protocol", "model", "corpus"],
)
def test_a_study_resumed_as_another_one(call: Call, finished: Any, arguments: tuple[str, ...], message: str) -> None:
    kept = [one for one in finished.args if one not in ("--corpus", "manifest", "--data", str(finished.csv))]
    data = () if "demo" in arguments else ("--corpus", "manifest", "--data", str(finished.csv))
    folds = ("--set", "features.hop_s=0.005", "--set", "protocol.folds=3")
    told = call(finished.root, "study", *kept, *data, *arguments, *folds, "--trials", "5")
    told.refused(f"study 'first' exists and differs: {message}")


@pytest.mark.parametrize("variable", ["SER_TUNE_ROOT", "SER_TUNE_CACHE"])
def test_a_disk_that_cannot_be_written(
    call: Call, root: Path, study_file: Path, corpus_csv: Path, variable: str
) -> None:
    told = call(
        root, "study", study_file, "--corpus", "manifest", "--data", corpus_csv, environment={variable: "/proc"}
    )
    told.refused("cannot be")


def test_a_root_that_is_no_folder(call: Call, root: Path) -> None:
    told = call(root, "models", environment={"SER_TUNE_ROOT": "/nowhere"})
    told.refused("SER_TUNE_ROOT is '/nowhere'; expected an existing folder")


def test_an_export_to_a_disk_that_cannot_be_written(call: Call, root: Path, corpus_csv: Path) -> None:
    told = call(root, "extract", "--corpus", "manifest", "--data", corpus_csv, "--out", "/proc/features.npz")
    told.refused("'/proc/features.npz' cannot be written")


def test_a_disk_that_fills_up_anywhere(call: Call, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(project: object) -> None:
        raise OSError(28, "No space left on device", "/somewhere/file")

    monkeypatch.setattr("ser_tune.registry.listed_versions", full)
    call(root, "models").refused("'/somewhere/file' cannot be written: No space left on device")


@pytest.mark.slow
def test_a_disk_that_the_models_do_not_fit_on(
    call: Call, root: Path, study_file: Path, corpus_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 5 * 10**6, 5 * 10**6))
    told = call(root, "study", study_file, "--corpus", "manifest", "--data", corpus_csv, "--trials", "99")
    told.refused("the models of 99 trials can take")


def test_a_bug_shows_its_traceback(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(project: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("ser_tune.registry.listed_versions", broken)
    monkeypatch.setattr("sys.argv", ["ser-tune", "models"])
    with pytest.raises(ZeroDivisionError):
        main()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("study", "--trials", "many"), "--trials is 'many'; expected a valid integer"),
        (("ui", "--port", "0"), "--port is '0'; expected a value greater than or equal to 1"),
    ],
)
def test_a_value_of_another_type(call: Call, root: Path, arguments: tuple[str, ...], message: str) -> None:
    told = call(root, *arguments)
    told.refused(message)
    assert told.out == ""
