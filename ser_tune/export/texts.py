"""README.md and Dockerfile of an exported folder; for the hub, the model card with its header."""

import json
import re
import sys
from collections.abc import Mapping, Sequence

import yaml

from ..metrics import Metric
from ..tasks import TASKS, Task
from .check import LARGEST_DIFFERENCE, Agreement
from .formats import Written

__all__ = ["dockerfile", "hub_header", "readme"]

_WHAT = {
    "onnx": "`model.onnx` maps `waveform` (samples,), float32, 16 kHz mono, to `probabilities` of the {answer}s in the "
    "order of `id2label` in `config.json`. Features, normalisation, segments, networks and averages are inside.",
    "torchscript": "`model.pt`, for `torch.jit.load`, maps samples (N,), float32, 16 kHz mono, to probabilities of the "
    "{answer}s in the order of `id2label` in `config.json`. Features, normalisation, segments, networks and averages "
    "are inside.",
    "safetensors": "`network-*.safetensors` are the weights, `recipe.json` describes features, segments and networks.",
    "hub": "`network-*.safetensors` are the weights, `recipe.json` describes features, segments and networks.",
}


def readme(
    title: str, form: str, written: Written, agreement: Agreement, labels: Sequence[str], card: str, header: str
) -> str:
    """The text of README.md.

    Args:
        title: The model's name and version.
        form: Of the export.
        written: What its writer left.
        agreement: With the registered model.
        labels: The name of each output.
        card: The model card of the version, Markdown.
        header: What stands before it all.
    """
    task = TASKS.get(written.recipe.task)
    image = re.sub(r"[^a-z0-9_-]+", "-", title.lower()).strip("-")
    limit = "" if written.longest_s is None else f" Recordings of more than {written.longest_s:g} s are refused."
    rounded = ""
    if agreement.rounding is not None:
        rounded = f" in float32 (with its encoder in bfloat16, as it is registered: by {agreement.rounding:.1e})"
    sections = [
        f"{header}# {title}",
        f"Speech emotion recognition: {', '.join(labels)}. Exported by ser-tune, format {form}.",
        _WHAT[form].format(answer=task.answer) + _decided(form, task),
        f"Outside the model's file: {'; '.join(written.outside)}.{limit}",
        f"On {agreement.recordings} recordings of the corpus {agreement.corpus} the probabilities differ from those of "
        f"the registered model{rounded} by at most {agreement.difference:.1e} (expected: {LARGEST_DIFFERENCE:.0e}). "
        "Each file is judged by itself.",
        "## Use",
        "```\npip install -r requirements.txt\npython predict.py AUDIO...\n```",
        "or without Python on the machine:",
        f'```\ndocker build -t {image} .\ndocker run --rm -v "$PWD:/audio:ro" {image} /audio/AUDIO.wav\n```',
        f"`predict.py` prints JSON: file, {task.answer}, and the probability of every {task.answer}. A file that "
        "cannot be judged ends it with exit code 2 and one sentence.",
        card.strip(),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def _decided(form: str, task: Task) -> str:
    """What is added where the answer is not the label of the largest number."""
    if form not in ("onnx", "torchscript") or task.traceable is None or task.traceable.decide is None:
        return ""
    output = "`decision`" if form == "onnx" else "the second output"
    return f" The answer is not the most probable {task.answer}: {output} has its number."


def hub_header(
    name: str,
    config: Mapping[str, object],
    tags: Mapping[str, str],
    scores: Mapping[str, float],
    metrics: Sequence[Metric],
    base: Sequence[str],
) -> str:
    """The header of a model card, as https://huggingface.co/docs/hub/model-cards describes it.

    Args:
        name: The model's.
        config: Content of config.json.
        tags: Of the registered version.
        scores: Of the version's run, by name: of the test speakers, or else of the validation speakers.
        metrics: What was computed; the first is the objective.
        base: Hub names of pretrained encoders.
    """
    side = "test" if f"test_{metrics[0].name}" in scores else "validation"
    entries = [
        {
            "type": metric.hub or metric.name,
            "name": f"{_in_words(metric, str(config['answer']))}, {side} speakers",
            "value": round(scores[f"{side}_{metric.name}"], 4),
        }
        for metric in metrics
        if f"{side}_{metric.name}" in scores
    ]
    corpus = tags.get("corpus", "unknown")
    task = {"type": "audio-classification", "name": "Speech emotion recognition"}
    result = {"task": task, "dataset": {"type": corpus, "name": corpus}, "metrics": entries}
    header: dict[str, object] = {
        "library_name": "ser-tune",
        "pipeline_tag": "audio-classification",
        "license": "other",
        "license_name": "see-model-card",
        "tags": ["speech-emotion-recognition", "audio", corpus, *_listed(config, "architectures", "features")],
        "metrics": [metric.hub or metric.name for metric in metrics],
        **({"base_model": list(base)} if base else {}),
        **({"model-index": [{"name": name, "results": [result]}]} if entries else {}),
    }
    return f"---\n{yaml.safe_dump(header, sort_keys=False, allow_unicode=True)}---\n\n"


def _in_words(metric: Metric, answer: str) -> str:
    words = f"mean {metric.part} of the {answer}s" if metric.part else metric.hub or metric.in_words(answer)
    return f"{metric.title} ({words})"


def _listed(config: Mapping[str, object], *keys: str) -> list[str]:
    return [str(one) for key in keys for one in json.loads(json.dumps(config[key]))]


def dockerfile() -> str:
    """An image that runs predict.py, without root's rights."""
    return f"""\
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
