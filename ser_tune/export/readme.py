"""README.md and Dockerfile of an exported folder; for the hub, the model card with its header."""

import json
import re
import sys
from pathlib import Path

import yaml
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from ..encoders import CHECKPOINTS, encoders_among, short_name
from ..metrics import Metric
from ..prediction import Recipe
from ..tasks import TASKS, Task
from ..tracking import LoadedModel, metrics_of
from .agreement import LARGEST_DIFFERENCE, Agreement
from .model_files import Written

__all__ = ["DOCKERFILE", "hub_header", "readme"]

_INSIDE = "Features, normalisation, segments, networks, scales, thresholds and averages are inside."
_WEIGHTS = "`network-*.safetensors` are the weights, `recipe.json` describes features, segments and networks."
DOCKERFILE = f"""\
FROM python:{sys.version_info.major}.{sys.version_info.minor}-slim
WORKDIR /model
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
USER 1000
# librosa's compiler keeps its results in a folder that can be written
ENV NUMBA_CACHE_DIR=/tmp
ENTRYPOINT ["python", "/model/predict.py"]
"""
"""An image that runs predict.py, without root's rights."""


def readme(
    version: ModelVersion, form: str, written: Written, agreement: Agreement, model: LoadedModel, header: str
) -> str:
    """The text of README.md: `header`, how to use the files, and the version's model card."""
    title = f"{version.name}, version {version.version}"
    task = TASKS.get(written.recipe.task)
    image = re.sub(r"[^a-z0-9_-]+", "-", title.lower()).strip("-")
    limit = "" if written.longest_s is None else f" Recordings of more than {written.longest_s:g} s are refused."
    rounded = ""
    if agreement.rounding is not None:
        rounded = f" in float32 (with its encoder in bfloat16, as it is registered: by {agreement.rounding:.1e})"
    sections = [
        f"{header}# {title}",
        f"Speech emotion recognition, {task.title}: {', '.join(model.labels)}. Exported by ser-tune, format {form}.",
        f"{_files(form, task)}{_decided(form, task)}{_known(model)}",
        f"Outside the model's file: {'; '.join(written.outside)}.{limit}",
        f"On {agreement.recordings} recordings of the corpus {agreement.corpus} the {task.numbers} differ from those "
        f"of the registered model{rounded} by at most {agreement.difference:.1e} (expected: {LARGEST_DIFFERENCE:.0e}). "
        "Each file is judged by itself.",
        "## Use",
        "```\npip install -r requirements.txt\npython predict.py AUDIO...\n```",
        "or without Python on the machine:",
        f'```\ndocker build -t {image} .\ndocker run --rm -v "$PWD:/audio:ro" {image} /audio/AUDIO.wav\n```',
        f"`predict.py` prints JSON: file, {f'{task.answer}, ' if task.named else ''}and the {task.number} of each of "
        f"{', '.join(model.labels)}. A file that cannot be judged ends it with exit code 2 and one sentence.",
        (version.description or "").strip(),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def _files(form: str, task: Task) -> str:
    """The model's files."""
    if form not in ("onnx", "torchscript"):
        return _WEIGHTS
    order = f"{task.numbers} in the order of `id2label` in `config.json`. {_INSIDE}"
    if form == "torchscript":
        return f"`model.pt`, for `torch.jit.load`, maps samples (N,), float32, 16 kHz mono, to {order}"
    maps = "`model.onnx` maps `waveform` (samples,), float32, 16 kHz mono, to"
    if task.named:
        return f"{maps} `{task.numbers}`: {order}"
    return f"{maps} an output for each {task.answer}, of its name and of shape (): its {task.number}. {_INSIDE}"


def _decided(form: str, task: Task) -> str:
    """A sentence where the answer is not the label of the largest number."""
    if task.decides_from is not None:
        return (
            f" The {task.numbers} are no probabilities: thresholds of the validation speakers are subtracted, and "
            f"{task.decides_from:g} or more means that the utterance has the emotion."
        )
    if form not in ("onnx", "torchscript") or task.traceable is None or task.traceable.decide is None:
        return ""
    output = "`decision`" if form == "onnx" else "the second output"
    return f" The answer is not the most probable {task.answer}: {output} has its number."


def _known(model: LoadedModel) -> str:
    """Sentences on scale and error of each output, where they are known."""
    scales = ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in model.scales.items())
    errors = ", ".join(f"{name} {error:.2f}" for name, error in model.errors.items())
    sentences = [f"Scale: {scales}."] if scales else []
    if errors:
        sentences.append(f"Root mean squared error on the validation speakers, who also chose the trial: {errors}.")
    return "".join(f" {sentence}" for sentence in sentences)


def hub_header(version: ModelVersion, run: Run, folder: Path, source: Path) -> str:
    """The header of a model card, as https://huggingface.co/docs/hub/model-cards describes it.

    Args:
        version: The registered version.
        run: The version's, with scores of the test speakers, or else of the validation speakers.
        folder: The exported one, with config.json.
        source: The version's own files.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    metrics, scores = metrics_of(run), run.data.metrics
    side = "test" if f"test_{metrics[0].name}" in scores else "validation"
    entries = [
        {
            "type": metric.hub or metric.name,
            "name": f"{_in_words(metric, config['answer'])}, {side} speakers",
            "value": round(scores[f"{side}_{metric.name}"], 4),
        }
        for metric in metrics
        if f"{side}_{metric.name}" in scores
    ]
    base = _encoders(source)
    corpus = version.tags.get("corpus", "unknown")
    task = {"type": "audio-classification", "name": "Speech emotion recognition"}
    result = {"task": task, "dataset": {"type": corpus, "name": corpus}, "metrics": entries}
    tags = ["speech-emotion-recognition", "audio", corpus, *config["architectures"], *config["features"]]
    header: dict[str, object] = {
        "library_name": "ser-tune",
        "pipeline_tag": "audio-classification",
        "license": "other",
        "license_name": "see-model-card",
        "tags": tags,
        "metrics": [metric.hub or metric.name for metric in metrics],
        **({"base_model": base} if base else {}),
        **({"model-index": [{"name": version.name, "results": [result]}]} if entries else {}),
    }
    return f"---\n{yaml.safe_dump(header, sort_keys=False, allow_unicode=True)}---\n\n"


def _encoders(source: Path) -> list[str]:
    """Hub names of a version's pretrained encoders."""
    recipes = [Recipe.from_json(path.read_text(encoding="utf-8")) for path in sorted(source.rglob("recipe.json"))]
    encoders = [settings for recipe in recipes for settings in encoders_among(recipe.features, recipe.model)]
    used = {short_name(settings.checkpoint).casefold() for settings in encoders}
    return [known for known in CHECKPOINTS if short_name(known).casefold() in used]


def _in_words(metric: Metric, answer: str) -> str:
    words = f"mean {metric.part} of the {answer}s" if metric.part else metric.hub or metric.in_words(answer)
    return f"{metric.title} ({words})"
