"""The files of an exported model in each format."""

import json
import shutil
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ..audio import SAMPLE_RATE_HZ
from ..errors import ConfigError, SerTuneError, valid_names
from ..features.encoder import EncoderSettings
from ..prediction import ENCODERS, Committee, Predictor, Recipe, load_predictor
from ..tasks import TASKS
from .graph import Graph, NamedOutputs

__all__ = ["FORMATS", "Written", "refuse_other_format"]

SCRIPTS = Path(__file__).with_name("scripts")
EXAMPLE_SAMPLES = 10 * SAMPLE_RATE_HZ + 7
"""Length of the noise that a graph is traced with: longer than a segment."""
OPSET = 20
"""The newest operator set of ONNX that the exporter of torch 2.15 writes."""
_EXTRA = "install it with pip install 'ser-tune[export]'"


@dataclass(frozen=True, slots=True)
class Written:
    """A model's files in a folder."""

    recipe: Recipe
    """The recipe of the predictor, or of its first member."""
    requirements: tuple[str, ...]
    """Packages that predict.py imports, as pip takes them."""
    outside: tuple[str, ...]
    """Parts of the prediction that the model's file does not contain, in words."""
    longest_s: float | None = None
    """Longer recordings are refused."""
    in_float32: Predictor | Committee | None = None
    """The model with its encoder in float32, as in a graph; None where the registered model computes the same."""


def write_onnx(source: Path, folder: Path) -> Written:
    """Write model.onnx: waveform (samples), float32, 16 kHz, to numbers (K), or to an output for each dimension.

    The exporter traces: torch.export (2.15) cannot solve for sizes such as the number of segments.
    """
    for package in ("onnx", "onnxruntime"):
        try:
            version(package)
        except PackageNotFoundError:
            raise ConfigError(f"--format onnx needs the package {package}; {_EXTRA}") from None

    def save(graph: Graph, example: torch.Tensor) -> None:
        task, names = TASKS.get(graph.recipe.task), list(graph.recipe.labels)
        if task.named:
            names = [task.numbers, *([] if graph.decide is None else ["decision"])]
        torch.onnx.export(
            graph if task.named else NamedOutputs(graph),
            (example,),
            str(folder / "model.onnx"),
            input_names=["waveform"],
            output_names=names,
            dynamic_axes={"waveform": {0: "samples"}},
            opset_version=OPSET,
            dynamo=False,
        )

    return _write_graph(source, folder, "onnx", save, ("numpy", "onnxruntime", "soundfile", "soxr"))


def write_torchscript(source: Path, folder: Path) -> Written:
    """Write model.pt, a traced module: waveform (samples), float32, 16 kHz, to shown numbers (K)."""

    def save(graph: Graph, example: torch.Tensor) -> None:
        traced = torch.jit.trace(graph, (example,), check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, folder / "model.pt")

    return _write_graph(source, folder, "torchscript", save, ("numpy", "soundfile", "soxr", "torch"))


def _write_graph(
    source: Path, folder: Path, form: str, save: Callable[[Graph, torch.Tensor], None], packages: Sequence[str]
) -> Written:
    """Write a model's predictor as a graph, with config.json and the script that runs it."""
    predictor = _installed(source)
    graph = Graph(predictor).eval()
    sizes = {"shortest_samples": graph.shortest_samples, "longest_samples": graph.longest_samples}
    _write_config(folder, predictor, sizes)
    shutil.copyfile(SCRIPTS / "predict_graph.py", folder / "predict.py")
    rounded = False
    for member in _members(predictor):
        features = member.recipe.features
        if isinstance(features, EncoderSettings) and features.precision == "bfloat16":
            rounded = True
            exact = features.model_copy(update={"precision": "float32"})
            member.recipe = replace(member.recipe, features=exact)
    example = 0.1 * torch.randn(EXAMPLE_SAMPLES, generator=torch.Generator().manual_seed(0))
    try:
        # Tracing warns of sizes that become constants, which the check on recordings would find, and of its age
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            save(graph, example)
    except RuntimeError as error:  # the exporter's own errors are of this kind too
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"the network cannot be written as {form}: {reason}; --format safetensors and hub take any network"
        ) from None
    return Written(
        recipe=graph.recipe,
        requirements=tuple(f"{package}=={version(package).partition('+')[0]}" for package in packages),
        outside=("decoding, averaging of channels and resampling to 16 kHz (predict.py does them)",),
        longest_s=None if graph.longest_samples is None else graph.longest_samples / SAMPLE_RATE_HZ,
        in_float32=predictor if rounded else None,
    )


def _installed(source: Path) -> Predictor | Committee:
    """The predictor in a model's folder, run by this installation's code."""
    try:
        return load_predictor(source / "artifacts" / "predictor")
    except (KeyError, ValueError, RuntimeError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"the model was made by another version of ser-tune and cannot be read: {reason}") from None


def _members(predictor: Predictor | Committee) -> Sequence[Predictor]:
    return predictor.members if isinstance(predictor, Committee) else [predictor]


def write_weights(source: Path, folder: Path) -> Written:
    """Write the weights as safetensors, recipe.json, pretrained encoders, and the code that runs them."""
    predictor = source / "artifacts" / "predictor"
    for part in sorted(predictor.iterdir()):
        if part.is_dir():
            shutil.copytree(part, folder / part.name)
        elif part.name not in ("ser_tune.zip", "plugins.json", f"{ENCODERS}.json"):
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
    shutil.copyfile(SCRIPTS / "predict_weights.py", folder / "predict.py")
    required = (source / "requirements.txt").read_text(encoding="utf-8").split()
    needed = tuple(package for package in required if package.partition("==")[0] not in ("mlflow", "pandas"))
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
    """Raise `ConfigError` where a name is no format."""
    if name not in FORMATS:
        raise ConfigError(f"--format is '{name}'; choose from: {valid_names(name, FORMATS)}")


def _write_config(folder: Path, predictor: Predictor | Committee, rest: Mapping[str, object]) -> None:
    """Write config.json, with the names that the Hugging Face hub uses."""
    members, labels, task = _members(predictor), predictor.labels, TASKS.get(predictor.recipe.task)
    config = {
        "model_type": "ser-tune",
        "architectures": sorted({member.recipe.model.name for member in members}),
        "features": sorted({member.recipe.features.name for member in members}),
        "networks": sum(len(member.networks) for member in members),
        "sampling_rate": SAMPLE_RATE_HZ,
        "id2label": {str(number): label for number, label in enumerate(labels)},
        "label2id": {label: number for number, label in enumerate(labels)},
        "answer": task.answer if task.named else None,
        "numbers": task.numbers,
        **({} if task.decides_from is None else {"decides_from": task.decides_from}),
        **({"scales": dict(zip(labels, scales, strict=True))} if (scales := predictor.recipe.scales) else {}),
        **rest,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
