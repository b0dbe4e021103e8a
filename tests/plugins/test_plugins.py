"""A package of somebody else's, with a component of every kind: installed, trained, promoted, loaded by name."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

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
}
TRAINED = (
    *("--model", "tiny_net", "--corpus", "tiny_corpus", "--features", "tiny_bands", "--set", "loss.name=tiny_loss"),
    *("--set", "segments.frames=48", "--set", "training.epochs=3", "--set", "training.batch_size=2"),
    *("--set", "optimizer.learning_rate=0.01", "--set", "protocol.folds=3", "--set", "training.device=cpu"),
)


@dataclass(frozen=True)
class Shell:
    """Where commands run, with the package installed or not."""

    root: Path
    site: Path
    cache: Path

    def __call__(self, *command: object, plugin: bool = True) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"SER_TUNE_CACHE": str(self.cache), "PYTHONPATH": str(self.site) if plugin else ""}
        return subprocess.run(
            [str(one) for one in command], cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )

    def ser_tune(self, *arguments: object, plugin: bool = True) -> subprocess.CompletedProcess[str]:
        return self(Path(sys.executable).with_name("ser-tune"), *arguments, plugin=plugin)


@pytest.fixture
def shell(root: Path, tmp_path: Path, shared_cache: Path) -> Shell:
    """A project, and the package as pip installs it."""
    for name, content in PACKAGE.items():
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.lstrip(), encoding="utf-8")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", tmp_path / "site", tmp_path / "source"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Shell(root=root, site=tmp_path / "site", cache=shared_cache)


@pytest.mark.slow
def test_components_of_an_installed_package_are_like_built_in_ones(shell: Shell, corpus_csv: Path) -> None:
    told = shell.ser_tune("options", "--model", "tiny_net", "--json")
    assert told.returncode == 0, told.stderr
    (maps,) = [row for row in json.loads(told.stdout) if row["path"] == "model.maps"]
    assert (maps["default"], maps["help"]) == ("16", "Maps of its convolution.")
    assert "8" in maps["search"]
    assert "64" in maps["search"]

    told = shell.ser_tune("options", "--model", "lenet")
    assert told.returncode == 2
    assert "unknown architecture 'lenet'" in told.stderr
    assert "tiny_net" in told.stderr
    assert "Traceback" not in told.stderr

    told = shell.ser_tune("train", *TRAINED, "--data", corpus_csv.parent)
    assert told.returncode == 0, told.stderr

    audio = [corpus_csv.parent / name for name in ("ada_anger_0.wav", "dan_joy_1.wav")]
    told = shell.ser_tune("predict", "ser-tiny_corpus-tiny_net", *audio, "--json")
    assert told.returncode == 0, told.stderr
    emotions = [row["emotion"] for row in json.loads(told.stdout)]
    assert set(emotions) <= {"anger", "joy"}

    (requirements,) = {path.read_text(encoding="utf-8") for path in shell.root.rglob("requirements.txt")}
    assert "tiny-plugin==1.2" in requirements.splitlines()

    # Without the package, what is missing is said, and no more
    told = shell.ser_tune("predict", "ser-tiny_corpus-tiny_net", audio[0], plugin=False)
    assert told.returncode == 2
    assert "needs the package tiny-plugin==1.2, which is not installed" in told.stderr
    assert "architecture 'tiny_net'" in told.stderr
    assert "Traceback" not in told.stderr

    # MLflow alone loads it too
    told = shell(
        sys.executable,
        "-c",
        "import mlflow, pandas, sys; mlflow.set_tracking_uri('sqlite:///mlruns/mlflow.db');"
        "model = mlflow.pyfunc.load_model('models:/ser-tiny_corpus-tiny_net@champion');"
        "print(model.predict(pandas.DataFrame({'path': sys.argv[1:]}))['label'].tolist())",
        *audio,
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[-1] == str(emotions)
