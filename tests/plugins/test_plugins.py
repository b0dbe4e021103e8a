"""A package of somebody else's, with a component of every kind: installed, trained, promoted, loaded by name."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import optuna
import pytest

from tests.conftest import Told

PACKAGE = {
    "pyproject.toml": """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "tiny-plugin"
version = "1.2"
dependencies = ["ser-tune"]

[project.entry-points."ser_tune.architectures"]
tiny_net = "tiny_plugin.tiny_net:ARCHITECTURE"

[project.entry-points."ser_tune.corpora"]
tiny_corpus = "tiny_plugin.tiny_corpus:CORPUS"

[project.entry-points."ser_tune.features"]
tiny_bands = "tiny_plugin.tiny_bands:FEATURE_SET"

[project.entry-points."ser_tune.losses"]
tiny_loss = "tiny_plugin.tiny_loss:LOSS"

[project.entry-points."ser_tune.samplers"]
tiny_sampler = "tiny_plugin.tiny_search:SAMPLER"

[project.entry-points."ser_tune.pruners"]
tiny_pruner = "tiny_plugin.tiny_search:PRUNER"

[project.entry-points."ser_tune.executors"]
tiny_executor = "tiny_plugin.tiny_search:EXECUTOR"

[project.entry-points."ser_tune.promotion_rules"]
tiny_rule = "tiny_plugin.tiny_search:PROMOTION_RULE"
""",
    "tiny_plugin/__init__.py": "",
    "tiny_plugin/tiny_net.py": '''
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from ser_tune.architectures import Architecture, InputShape
from ser_tune.config import IntRange, ModelSettings


class TinySettings(ModelSettings):
    """A small network."""

    name: Literal["tiny_net"] = "tiny_net"
    """The architecture."""
    maps: Annotated[int, Field(ge=1, le=512), IntRange(low=8, high=64)] = 16
    """Maps of its convolution."""


class Tiny(nn.Module):
    """Segments (B, C, F, T) to logits (B, K)."""

    def __init__(self, settings: TinySettings, shape: InputShape, n_classes: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(shape.channels, settings.maps, 3)
        self.classifier = nn.Linear(settings.maps, n_classes)

    def forward(self, segments: Tensor) -> Tensor:
        return self.classifier(self.convolution(segments).relu().mean(dim=(2, 3)))


ARCHITECTURE = Architecture(name="tiny_net", settings=TinySettings, build=Tiny, citation="none")
''',
    "tiny_plugin/tiny_corpus.py": '''
from collections.abc import Sequence
from pathlib import Path

from ser_tune.corpora import CorpusSource, Utterance
from ser_tune.errors import CorpusError


def read(data: Path | None, cache: Path) -> Sequence[Utterance]:
    """Recordings are called SPEAKER_EMOTION_NUMBER.wav."""
    if data is None or not (paths := sorted(data.glob("*_*_*.wav"))):
        raise CorpusError(f"corpus tiny_corpus: no SPEAKER_EMOTION_NUMBER.wav in '{data}'; name its folder with --data")
    utterances = []
    for path in paths:
        speaker, emotion, _ = path.stem.split("_")
        utterances.append(Utterance(id=path.stem, path=path, speaker=speaker, emotion=emotion))
    return utterances


CORPUS = CorpusSource(name="tiny_corpus", read=read, citation="none", licence="my own")
''',
    "tiny_plugin/tiny_bands.py": '''
from typing import Literal

import numpy as np

from ser_tune.config import SpectralSettings
from ser_tune.features import FeatureSet


class TinyBandsSettings(SpectralSettings):
    """Loudness in bands of equal width."""

    name: Literal["tiny_bands"] = "tiny_bands"
    """The feature set."""
    bands: int = 8
    """How many."""


def extract(speech: np.ndarray, settings: TinyBandsSettings) -> np.ndarray:
    frames = np.lib.stride_tricks.sliding_window_view(speech, settings.dft_points)[::80]
    bins = np.abs(np.fft.rfft(frames))[:, 1:].reshape(len(frames), settings.bands, -1)
    return np.log(bins.mean(axis=2) + 1e-6).T[np.newaxis].astype(np.float32)


FEATURE_SET = FeatureSet(
    name="tiny_bands",
    settings=TinyBandsSettings,
    shape=lambda settings: (1, settings.bands),
    extract=extract,
    hop_s=lambda settings: 80 / 16_000,
    citation="none",
)
''',
    "tiny_plugin/tiny_loss.py": '''
from typing import Literal

from torch import Tensor

from ser_tune.config import LossSettings
from ser_tune.training.losses import Loss


class TinyLossSettings(LossSettings):
    """The squared error of the probabilities."""

    name: Literal["tiny_loss"] = "tiny_loss"
    """The loss."""


def build(settings: TinyLossSettings, counts: Tensor):
    return lambda logits, target: (logits.softmax(dim=1) - target).square().sum(dim=1).mean()


LOSS = Loss(name="tiny_loss", settings=TinyLossSettings, build=build, citation="G. Brier, Monthly Weather Review, 1950")
''',
    "tiny_plugin/tiny_search.py": '''
from pathlib import Path

from optuna.samplers import RandomSampler

from ser_tune.execution import ExecutorSource, InProcess
from ser_tune.promotion_rules import Comparison, PromotionRule, Ruling
from ser_tune.search.pruners import JudgedTrial, Pruner
from ser_tune.search.samplers import Sampler


class Lowest(RandomSampler):
    """Proposes the fewest maps."""

    def sample_independent(self, study, trial, param_name, param_distribution):
        maps = param_name == "model.maps"
        return 8 if maps else super().sample_independent(study, trial, param_name, param_distribution)


class OneFoldOfTrial1:
    """Trains the folds backwards, and of trial 1 only one."""

    def __init__(self, judged: JudgedTrial) -> None:
        self.number, self.order = judged.trial.number, range(judged.folds)[::-1]

    def after_epoch(self, position, report) -> str:
        return ""

    def after_fold(self, position, score) -> str:
        return f"fold {position} is enough" if self.number == 1 else ""


class Noting(InProcess):
    """Notes how many folds it trains."""

    def run(self, jobs, **told):
        with Path("noted.txt").open("a") as file:
            file.write(f"{len(jobs)} ")
        return super().run(jobs, **told)


def decide(comparison: Comparison) -> Ruling:
    by_score = comparison.by_score()
    return Ruling(not by_score.replaces, f"other than by {comparison.metric.title}", {"tiny": comparison.champion})


SAMPLER = Sampler(name="tiny_sampler", build=lambda settings, seed: Lowest(seed), citation="none")
PRUNER = Pruner(name="tiny_pruner", judge=OneFoldOfTrial1, citation="none")
EXECUTOR = ExecutorSource(name="tiny_executor", build=lambda settings, features, train: Noting(train), decides="")
PROMOTION_RULE = PromotionRule(name="tiny_rule", decide=decide, worse_recordings=False, citation="none")
''',
}
TRAINED = (
    *("--model", "tiny_net", "--corpus", "tiny_corpus", "--features", "tiny_bands", "--set", "loss.name=tiny_loss"),
    *("--set", "segments.frames=48", "--set", "training.epochs=3", "--set", "training.batch_size=2"),
    *("--set", "optimizer.learning_rate=0.01", "--set", "protocol.folds=3", "--set", "training.device=cpu"),
)


@pytest.mark.slow
def test_components_of_an_installed_package_are_like_built_in_ones(
    root: Path, plug_in: Callable[[Mapping[str, str]], None], call: Callable[..., Told], corpus_csv: Path
) -> None:
    plug_in(PACKAGE)
    told = call(root, "options", "--model", "tiny_net", "--json")
    assert told.code == 0, told.err
    (maps,) = [row for row in json.loads(told.out) if row["path"] == "model.maps"]
    assert (maps["default"], maps["help"]) == ("16", "Maps of its convolution.")
    assert "8" in maps["search"]
    assert "64" in maps["search"]

    told = call(root, "options", "--model", "lenet")
    told.refused("unknown architecture 'lenet'")
    assert "tiny_net" in told.err

    parts = [f"--{part}=tiny_{part}" for part in ("sampler", "pruner", "executor", "rule")]
    search = ("--trials", "3", "--name", "tiny", "--set", "study.confirm=0", *parts)
    told = call(root, "study", *TRAINED, *search, "--data", corpus_csv.parent)
    assert told.code == 0, told.err
    study = optuna.load_study(study_name="tiny", storage=f"sqlite:///{root / 'studies' / 'optuna.db'}")
    assert [trial.params["model.maps"] for trial in study.trials] == [16, 8, 8]
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED", "COMPLETE"]
    assert (root / "noted.txt").read_text() == "3 3 3 "

    # The rule is asked where there is a champion: it replaces the better of the two complete trials by the other one
    other = min((study.trials[number] for number in (0, 2)), key=lambda one: (one.value, -one.number))
    told = call(root, "promote", "tiny", "--trial", str(other.number))
    assert told.code == 0, told.err
    assert "registered: ser-tiny_corpus-tiny_net version 2 as champion (other than by UAR)" in told.out

    audio = [corpus_csv.parent / name for name in ("ada_anger_0.wav", "dan_joy_1.wav")]
    told = call(root, "predict", "ser-tiny_corpus-tiny_net", *audio, "--json")
    assert told.code == 0, told.err
    emotions = [row["emotion"] for row in json.loads(told.out)]
    assert set(emotions) <= {"anger", "joy"}

    (requirements,) = {path.read_text(encoding="utf-8") for path in root.rglob("requirements.txt")}
    assert "tiny-plugin==1.2" in requirements.splitlines()

    # Without the package, what is missing is said, and no more
    command = ("from ser_tune.cli import main; main()", "predict", "ser-tiny_corpus-tiny_net", audio[0])
    done = _in_a_new_process(root, *command, environment={"PYTHONPATH": ""})
    assert done.returncode == 2
    assert "needs the package tiny-plugin==1.2, which is not installed" in done.stderr
    assert "architecture 'tiny_net'" in done.stderr
    assert "Traceback" not in done.stderr

    # MLflow alone loads it too
    done = _in_a_new_process(
        root,
        "import mlflow, pandas, sys; mlflow.set_tracking_uri('sqlite:///mlruns/mlflow.db');"
        "model = mlflow.pyfunc.load_model('models:/ser-tiny_corpus-tiny_net@champion');"
        "print(model.predict(pandas.DataFrame({'path': sys.argv[1:]}))['label'].tolist())",
        *audio,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(emotions)


def _in_a_new_process(
    root: Path, code: str, *arguments: str | Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=root,
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
    )
