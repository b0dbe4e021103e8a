"""Writing a model's files in each format."""

import json
import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ..audio import SAMPLE_RATE_HZ
from ..errors import ConfigError, SerTuneError, valid_names
from ..features.encoder import EncoderSettings
from ..prediction import ENCODERS, Committee, Predictor, Recipe, load_predictor
from ..tasks import TASKS
from .graph import Graph

__all__ = ["FORMATS", "Written", "refuse_other_format"]

EXAMPLE_S = 10
"""Length of the noise that a graph is traced with: longer than a segment."""
OPSET = 20
"""Of ONNX: the newest that the exporter of torch 2.15 writes."""
DECODING = "decoding, averaging of channels and resampling to 16 kHz (predict.py does them)"
_EXTRA = "install it with pip install 'ser-tune[export]'"


@dataclass(frozen=True, slots=True)
class Written:
    """What a format's writer left in a folder."""

    recipe: Recipe
    """Of the predictor, or of its first member: task and labels."""
    requirements: tuple[str, ...]
    """What predict.py imports, as pip takes it."""
    outside: tuple[str, ...]
    """Parts of the prediction that the model's file does not contain, in words."""
    longest_s: float | None = None
    """Longer recordings are refused."""
    in_float32: Predictor | Committee | None = None
    """The model with its encoder in float32, as in a graph; None where the registered model computes the same."""


def _graph(source: Path, folder: Path) -> tuple[Graph, Predictor | Committee | None]:
    """Read a model's predictor as a graph, and describe it in config.json; second what `Written.in_float32` is."""
    predictor = _installed(source)
    graph = Graph(predictor).eval()
    sizes = {"shortest_samples": graph.shortest_samples, "longest_samples": graph.longest_samples}
    _write_config(folder, predictor, sizes)
    shutil.copyfile(Path(__file__).with_name("scripts") / "predict_graph.py", folder / "predict.py")
    members = predictor.members if isinstance(predictor, Committee) else [predictor]
    rounded = False
    for member in members:
        features = member.recipe.features
        if isinstance(features, EncoderSettings) and features.precision == "bfloat16":
            rounded = True
            exact = features.model_copy(update={"precision": "float32"})
            member.recipe = replace(member.recipe, features=exact)
    return graph, predictor if rounded else None


def _installed(source: Path) -> Predictor | Committee:
    """The predictor in a model's folder, run by this installation's code.

    Raises:
        ConfigError: Another version of ser-tune wrote it in another form.
    """
    try:
        return load_predictor(source / "artifacts" / "predictor")
    except (KeyError, ValueError, RuntimeError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"the model was made by another version of ser-tune and cannot be read: {reason}") from None


def write_onnx(source: Path, folder: Path) -> Written:
    """Write model.onnx: waveform (samples), float32, 16 kHz, to probabilities (K).

    The exporter is the one that traces: torch.export (2.15) cannot solve for sizes such as the number of segments.
    """
    for package in ("onnx", "onnxruntime"):
        try:
            version(package)
        except PackageNotFoundError:
            raise ConfigError(f"--format onnx needs the package {package}; {_EXTRA}") from None
    graph, in_float32 = _graph(source, folder)
    with _quiet(), _refusals("onnx"), torch.inference_mode():
        torch.onnx.export(
            graph,
            (_example(),),
            str(folder / "model.onnx"),
            input_names=["waveform"],
            output_names=["probabilities", "decision"][: 1 if graph.decide is None else 2],
            dynamic_axes={"waveform": {0: "samples"}},
            opset_version=OPSET,
            dynamo=False,
        )
    packages = ("numpy", "onnxruntime", "soundfile", "soxr")
    return Written(graph.recipe, _pinned(packages), (DECODING,), _seconds(graph.longest_samples), in_float32)


def write_torchscript(source: Path, folder: Path) -> Written:
    """Write model.pt, a traced module: waveform (samples), float32, 16 kHz, to probabilities (K)."""
    graph, in_float32 = _graph(source, folder)
    with _quiet(), _refusals("torchscript"), torch.inference_mode():
        traced = torch.jit.trace(graph, (_example(),), check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, folder / "model.pt")
    packages = ("numpy", "soundfile", "soxr", "torch")
    return Written(graph.recipe, _pinned(packages), (DECODING,), _seconds(graph.longest_samples), in_float32)


def write_weights(source: Path, folder: Path) -> Written:
    """Write the weights as safetensors, recipe.json, pretrained encoders, and the code that runs them."""
    predictor = source / "artifacts" / "predictor"
    for part in sorted(predictor.iterdir()):
        if part.name in ("ser_tune.zip", "plugins.json", f"{ENCODERS}.json"):
            continue
        if part.is_dir():
            shutil.copytree(part, folder / part.name)
        else:
            shutil.copyfile(part, folder / part.name)
    with zipfile.ZipFile(predictor / "ser_tune.zip") as code:
        for name in code.namelist():
            target = (folder / name).resolve()
            if not name.startswith("ser_tune_") or not target.is_relative_to(folder.resolve()):
                raise SerTuneError(f"the model's ser_tune.zip has a file '{name}'; expected names below ser_tune_…/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(code.read(name))
    installed = _installed(source)
    _write_config(folder, installed, {})
    shutil.copyfile(Path(__file__).with_name("scripts") / "predict_weights.py", folder / "predict.py")
    required = (source / "requirements.txt").read_text(encoding="utf-8").split()
    needed = tuple(one for one in required if one.partition("==")[0] not in ("mlflow", "pandas"))
    outside = "decoding, features, normalisation, segments and averages: the weights are in safetensors files, and the "
    return Written(installed.recipe, needed, (f"{outside}rest is the code in ser_tune_…/, which predict.py runs",))


FORMATS: Mapping[str, Callable[[Path, Path], Written]] = {
    "onnx": write_onnx,
    "torchscript": write_torchscript,
    "safetensors": write_weights,
    "hub": write_weights,
}
"""Format to the function that writes an MLflow model's folder (the first argument) into an empty one (the second)."""


def refuse_other_format(name: str) -> None:
    """Refuse what is no format.

    Raises:
        ConfigError: It is none; the message lists them.
    """
    if name not in FORMATS:
        raise ConfigError(f"--format is '{name}'; choose from: {valid_names(name, FORMATS)}")


def _write_config(folder: Path, predictor: Predictor | Committee, rest: Mapping[str, object]) -> None:
    """Write config.json, with the names that the Hugging Face hub uses."""
    members = predictor.members if isinstance(predictor, Committee) else [predictor]
    labels = dict(enumerate(predictor.labels))
    config = {
        "model_type": "ser-tune",
        "architectures": sorted({one.recipe.model.name for one in members}),
        "features": sorted({one.recipe.features.name for one in members}),
        "networks": sum(len(one.networks) for one in members),
        "sampling_rate": SAMPLE_RATE_HZ,
        "id2label": {str(number): label for number, label in labels.items()},
        "label2id": {label: number for number, label in labels.items()},
        "answer": TASKS.get(predictor.recipe.task).answer,
        **rest,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _example() -> torch.Tensor:
    return 0.1 * torch.randn(EXAMPLE_S * SAMPLE_RATE_HZ + 7, generator=torch.Generator().manual_seed(0))


def _pinned(packages: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{one}=={version(one).partition('+')[0]}" for one in packages)


def _seconds(samples: int | None) -> float | None:
    return None if samples is None else samples / SAMPLE_RATE_HZ


@contextmanager
def _refusals(form: str) -> Iterator[None]:
    """Say in a sentence that an operation of a network, such as a plug-in's, cannot be written."""
    try:
        yield
    except RuntimeError as error:  # the exporter's own errors are of this kind too
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"the network cannot be written as {form}: {reason}; --format safetensors and hub take any network"
        ) from None


class _quiet(warnings.catch_warnings):  # noqa: N801 - used as a function
    """Tracing warns of sizes that become constants, which the check on recordings would find, and of its age."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore")
