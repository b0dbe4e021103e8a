"""Command lines as people guess them end in the wanted result, or in the exact command to type, at once."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_tune.cli.guessed_arguments import Accepted, guessed_arguments
from ser_tune.cli.guessed_commands import SEVERAL, SYNONYMS, guessed_command
from ser_tune.cli.guessed_values import ENCODERS, METHODS
from ser_tune.errors import ConfigError

Call = Callable[..., Any]
GUESSES: dict[str, str] = {
    # The settings that everyone changes have options
    "study --model light_cnn --epochs 5 --batch-size 8 --seed 1 --lr 7": "--lr: optimizer.learning_rate is 7.0",
    "study --model light_cnn --folds 2": "protocol.folds is 2",
    "study --model light_cnn --set epochs=0": "training.epochs is 0",
    "study --model light_cnn --set lr=7": "optimizer.learning_rate is 7",
    "study --model light_cnn --set epoch=5": "did you mean training.epochs=5?",
    "study --model light_cnn --set freq_masks=5": "unknown key 'freq_masks'",
    "study --model linear_probe --epochs 5": "linear_probe is solved, and does without it",
    "study --model light_cnn --dropout 0.3": "write --set model.dropout=0.3",
    "study --model light_cnn --n-trials 0": "study.trials is 0",
    "study --model light_cnn --batch_size 1": "training.batch_size is 1",
    "study --model light_cnn --trails 4": "did you mean '--trials'?",
    # Names where they are not expected, or written otherwise
    "study 3d_acrnn --trials 0": "read as: ser-tune study --model 3d_acrnn --trials 0",
    "study 3D-ACRNN --trials 0": "study.trials is 0",
    "study light_cnn emodb": "corpus emodb needs its folder; pass --data DIR",
    "study light_cnn my.csv": "read as: ser-tune study --corpus manifest --data my.csv --model light_cnn",
    "study --corpus my.csv --model light_cnn": "'my.csv' does not exist; expected a CSV with the header path,speaker",
    "study light_cnn.yaml": "did you mean studies/emodb/light_cnn.yaml or studies/light_cnn.yaml?",
    "study gone": "it is no architecture either: 3d_acrnn, alex_net",
    "study": "no architecture given; pass --model NAME or a study file",
    "train --model light_cnn --corpus RAVDESS": "corpus ravdess needs its folder; pass --data DIR",
    "corpus check my.csv": "read as: ser-tune corpus check manifest --data my.csv",
    "corpus check .": "type `ser-tune corpus check NAME --data .`, where NAME is the corpus in it",
    "check EmoDB gone.wav": "unknown corpus 'gone.wav'; choose from: ",
    "download ravdess": "corpus ravdess is not ours to download",
    "datasets": "",
    "list": "`ser-tune models` lists registered models",
    "--version": "ser-tune 0.",
    "version": "ser-tune 0.",
    "help study": "",
    "stdy": "did you mean 'study'?",
    "--epochs 5 study light_cnn": "options follow the command; type `ser-tune study --epochs 5 light_cnn`",
    "--name study train light_cnn": "type `ser-tune study --name train light_cnn` or `ser-tune train --name study",
    "--model light_cnn": "type `ser-tune COMMAND --model light_cnn`, where COMMAND is one of: ablate",
    "-v": "ser-tune 0.",
    "help search": "",
    "help stdy": "did you mean 'study'?",
    "corpus chek emodb": "there is no command 'corpus chek'; choose from: check, download, list, make; did you mean",
    "corpus --data X check emodb": "options follow the command; type `ser-tune corpus check --data X emodb`",
    "corpus check": "type `ser-tune corpus check CORPUS`; corpus is one of: aesdd",
    "study light_cnn -epochs 0": "training.epochs is 0",
    "study light_cnn -e 5": "ser-tune study has no option -e; `ser-tune study -h` lists its options",
    "study light_cnn \u2014epochs 5": "begins with a dash; type two hyphens: --epochs",
    "study light_cnn --trials 4 --trials 0": "read as: ser-tune study --model light_cnn --trials 0\n",
    "evaluate demo": "type `ser-tune evaluate MODEL --corpus demo`",
    "light_cnn": "`ser-tune study --model light_cnn` searches",
    "study --model Whisper": "type `ser-tune study --model linear_probe --set features.checkpoint=openai/whisper-base`",
    "study wavlm-large": "'wavlm-large' is a pretrained encoder; type `ser-tune study --model linear_probe --set feat",
    "study --model CNN": "there is no 'CNN' here: light_cnn is a small convolutional network",
    "study SVM": "linear_probe is linear",
    "study --model light_cnn --features mfcc": "there is no 'mfcc' here: logmelspec is the log Mel spectrogram",
    "study --model light_cnn --gpu": "has no option --gpu; write --set training.device=cuda",
    "study --model linear_probe --encoder whisper": "write --set features.checkpoint=NAME_OR_FOLDER",
    "study --config my.yaml": "has no option --config; a study file is an argument: `ser-tune study FILE.yaml`",
    "study --model light_cnn --corpus emodb --path gone": "'gone' is not a folder; expected the folder that holds wav/",
    "study help": "",
    "corpus info emo-db": "corpus emodb needs its folder; pass --data DIR",
    "corpus emodb": "'emodb' is a corpus; `ser-tune corpus check emodb --data DIR` checks it",
    "corpus create .": "no recordings in '.'; expected files that end in .wav",
    "validate my.csv": "'my.csv' does not exist; expected a CSV with the header path,speaker",
    "make": "type `ser-tune corpus make FOLDER`",
    "plot": "`ser-tune report STUDY` writes a page with plots",
    "trials": "`ser-tune status STUDY` prints where a study is",
    "upgrade": "pip installs programs",
    "export X --onnx": "has no option --onnx; write --format onnx",
    "init": "a project needs no setup",
    "options light_cnn --json": "",
    # Models and recordings
    "predict file.wav": "`ser-tune study --model light_cnn --trials 4` makes a first one",
    "predict --model X f.wav": "read as: ser-tune predict X f.wav",
    "predict X --input f.wav": "no registered model 'X'",
    "file.wav": "there is no registered model yet",
    "predict": "type `ser-tune predict MODEL PATH`",
    "evaluate X": "type `ser-tune evaluate X --corpus CORPUS`; choose from: aesdd, ased, cafe, cmu_mosei, crema_d",
    "evaluate X emodb": "read as: ser-tune evaluate X --corpus emodb",
    "report": "type `ser-tune report STUDY|MODEL`",
    "report --study X": "'X' is no registered model, study or run",
    "infer X f.wav": "no registered model 'X'",
}
"""A command line to the text that it ends with in a project without results."""
HEAVY = ("librosa", "mlflow", "optuna", "pandas", "sklearn", "torch")
FORKING = """
import json, os, resource, sys
from ser_tune.cli import app, main
from ser_tune.corpora import CORPORA
from ser_tune.search import options

options("light_cnn")  # imported once for all commands
heavy, commands = json.loads(sys.argv[1])
for command in commands:
    reader, writer = os.pipe()
    if not (child := os.fork()):
        sys.argv = ["ser-tune", *command.split()]
        os.dup2(writer, 1), os.dup2(writer, 2)
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        sys.stdout.flush()
        heavy = [name for name in heavy if name in sys.modules]
        used = resource.getrusage(resource.RUSAGE_SELF)
        print("\\n" + json.dumps([code, heavy, used.ru_utime + used.ru_stime]), flush=True)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        sys.stdout.write(json.dumps(answer.read()) + "\\n")
    os.waitpid(child, 0)
"""


@pytest.mark.slow
def test_guesses_end_in_the_result_or_in_what_to_type(root: Path, tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", FORKING, json.dumps([HEAVY, list(GUESSES)])],
        env=os.environ | {"SER_TUNE_ROOT": str(root), "OPENBLAS_NUM_THREADS": "1", "COLUMNS": "200"},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    answers = dict(zip(GUESSES, map(json.loads, told.stdout.splitlines()), strict=True))
    for guess, text in answers.items():
        said, _, facts = text.rstrip().rpartition("\n")
        code, heavy, seconds = json.loads(facts)
        expected = GUESSES[guess]
        assert expected in said, guess
        assert "Traceback" not in said, guess
        assert "╭─ Error" not in said, guess
        ends_well = not expected or expected == "ser-tune 0."
        assert code == (0 if ends_well else 2), (guess, said)
        assert heavy == [], guess
        assert seconds < 1, guess  # of a processor, beside half a second for the light imports


PREDICT = Accepted(
    command="predict",
    arguments=("model", "path"),
    several=True,
    required=frozenset({"model", "path"}),
    valued=frozenset({"--format", "--out"}),
    switches=frozenset({"--json", "--help"}),
)
STUDY = Accepted(
    command="study",
    arguments=("[file]",),
    several=False,
    required=frozenset(),
    valued=frozenset({"--model", "--corpus", "--data", "--features", "--set", "--trials"}),
    switches=frozenset({"--nested"}),
)
NAMES = {"architectures": ["3d_acrnn", "light_cnn"], "corpora": ["demo", "emodb"], "features": ["opensmile"]}


def _read(accepted: Accepted, *arguments: str, models: tuple[str, ...] = ()) -> list[str]:
    names = NAMES | {"model": list(models)}
    return guessed_arguments(arguments, accepted, lambda kind: names.get(kind, []), lambda *_: [])


@given(
    st.lists(
        st.sampled_from(
            [
                ["--model", "x"],
                ["--corpus=a"],
                ["--data", "--odd"],
                ["--set", "a.b=-1"],
                ["--trials", "3"],
                ["--nested"],
            ]
        )
    ),
    st.sampled_from([[], ["gone.yaml"]]),
    st.booleans(),
)
def test_what_a_command_takes_is_left_as_it_is(options: list[list[str]], file: list[str], file_first: bool) -> None:
    tokens = [token for option in options for token in option]
    written = [*file, *tokens] if file_first else [*tokens, *file]
    assert _read(STUDY, *written) == written


def test_words_become_values_of_the_options_that_they_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _read(STUDY, "light_cnn", "emodb", "opensmile") == [
        *("--features", "opensmile", "--corpus", "emodb", "--model", "light_cnn")
    ]
    Path("light_cnn").touch()  # a study file of this name wins
    assert _read(STUDY, "light_cnn") == ["light_cnn"]
    Path("sounds").mkdir()
    assert _read(STUDY, "--corpus", "emodb", "a.yaml", "sounds") == ["a.yaml", "--data", "sounds", "--corpus", "emodb"]
    with pytest.raises(ConfigError, match="does not expect 'more'"):
        _read(STUDY, "a.yaml", "more")


def test_the_only_registered_model_predicts_and_of_several_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _read(PREDICT, "a.wav", "b.wav", models=("mine",)) == ["mine", "a.wav", "b.wav"]
    assert _read(PREDICT, "mine", "a.wav", models=("mine",)) == ["mine", "a.wav"]
    assert _read(PREDICT, "a.wav", "--model", "mine", models=("mine", "other")) == ["mine", "a.wav"]
    with pytest.raises(ConfigError, match=r"`ser-tune predict mine 'a b\.wav'` or `ser-tune predict other 'a b\.wav'`"):
        _read(PREDICT, "a b.wav", models=("mine", "other"))
    assert _read(PREDICT, "--out", "--json", "--out=b", "a", "b", models=("mine",)) == ["a", "b", "--out=b"]
    assert _read(PREDICT, "--", "a.wav", "-b.wav") == ["--", "a.wav", "-b.wav"]


def test_every_guessed_command_leads_to_a_command(call: Call, root: Path) -> None:
    from ser_tune.cli.app import app, corpus

    commands = {str(command.name) for command in app.registered_commands}
    inner = {str(command.name) for command in corpus.registered_commands}
    for words in SYNONYMS.values():
        assert words[0] in commands | {"--version"} or (words[0] == "corpus" and words[1] in inner)
    assert not commands & {*SYNONYMS, *SEVERAL}


def test_a_command_in_quotes_is_shown_without_them() -> None:
    with pytest.raises(ConfigError, match="without the quotes it is `ser-tune study --model 3d_acrnn --trials 3`"):
        guessed_command(["study --model 3d_acrnn", "--trials", "3"], ["study"])
    assert guessed_command([" Study", "x"], ["study"]) == ["study", "x"]
    assert guessed_command([], ["study"]) == []


def test_names_of_methods_lead_to_names_that_there_are() -> None:
    from ser_tune.architectures import ARCHITECTURES
    from ser_tune.encoders import CHECKPOINTS
    from ser_tune.features import FEATURE_SETS

    assert set(ENCODERS.values()) <= set(CHECKPOINTS)
    named = {*ARCHITECTURES.names(), *FEATURE_SETS.names()}
    assert all(any(name in sentence for name in named) for sentence in METHODS.values())
    assert not named & {*METHODS, *ENCODERS}
