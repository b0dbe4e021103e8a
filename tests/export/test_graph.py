"""A predictor as one graph says what the predictor says, for every feature set, padding and aggregation it takes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ser_tune.architectures import ARCHITECTURES
from ser_tune.architectures.networks import set_scale, set_threshold
from ser_tune.config import NormalisationSettings, SegmentSettings
from ser_tune.errors import ConfigError
from ser_tune.export.front_ends import Levelled, at_least
from ser_tune.export.graph import Graph
from ser_tune.export.model_files import OPSET
from ser_tune.features import FEATURE_SETS, Scaling, levelled
from ser_tune.prediction import Committee, Predictor, Recipe
from ser_tune.tasks import TASKS, Task, Traceable

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning"
)

LENGTHS = (2_400, 5_000, 16_000, 33_333)
"""Samples: less than a segment, about one, and several."""


def make(
    tmp_path: Path,
    model: dict[str, Any],
    features: dict[str, Any],
    segments: dict[str, Any],
    normalisation: dict[str, Any] | None = None,
    aggregation: str = "mean_log_softmax",
    task: str = "classification",
) -> Predictor:
    """A predictor of two networks of random weights; where the task has thresholds or units, of odd ones."""
    feature_set = FEATURE_SETS.get(features["name"])
    settings = feature_set.resolve(feature_set.settings.model_validate(features), tmp_path)
    recipe = Recipe(
        labels=("anger", "joy", "neutral"),
        model=ARCHITECTURES.get(model["name"]).settings.model_validate(model),
        features=settings,
        shape=feature_set.shape(settings),
        hop_s=feature_set.hop_s(settings),
        segments=SegmentSettings(**segments),
        normalisation=NormalisationSettings(**(normalisation or {})),
        aggregation=aggregation,
        task=task,
    )
    torch.manual_seed(0)
    trained = recipe.normalisation.scope == "train"
    shape = recipe.shape
    scaling = Scaling(np.full(shape, -30, np.float32), np.full(shape, 10, np.float32)) if trained else None
    networks = [recipe.build_network() for _ in range(2)]
    if TASKS.get(task).scales_outputs:
        for network in networks:
            set_scale(network, np.array([3.0, -1.0, 40.0]), np.array([0.5, 2.0, 11.0]))
            set_threshold(network, np.array([0.25, -0.5, 1.0]))
    return Predictor(recipe, networks, [scaling] * 2)


def difference(predictor: Predictor | Committee, lengths: tuple[int, ...] = LENGTHS) -> float:
    """The largest between the probabilities of the predictor and of its graph, traced on another length."""
    rng = np.random.default_rng(1)
    graph = Graph(predictor).eval()
    with torch.inference_mode():
        traced = torch.jit.trace(graph, (torch.randn(48_001) * 0.1,), check_trace=False)
        found = []
        for length in lengths:
            speech = (rng.normal(0, 0.1, length) * np.sin(np.arange(length) / 500)).astype(np.float32)
            said = predictor.predict([speech], sample_rate_hz=16_000)[0].numbers
            found.append(np.abs(traced(torch.from_numpy(speech)).numpy() - list(said.values())).max())
    return float(max(found))


LIGHT = {"name": "light_cnn", "width": 0.25}
MEL = {"name": "logmelspec", "n_mels": 16, "hop_s": 0.02, "dft_points": 800}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "features", "segments", "normalisation", "aggregation"),
    [
        (LIGHT, MEL, {"frames": 32}, {}, "mean_log_softmax"),
        (LIGHT, MEL, {"frames": 32, "padding": "floor"}, {"scope": "speaker"}, "mean_probability"),
        (LIGHT, MEL, {"frames": 32, "padding": "edge", "last_block": "overlap"}, {"kind": "minmax"}, "confidence"),
        (LIGHT, MEL, {"frames": None}, {"scope": "utterance", "kind": "minmax"}, "maximum"),
        (LIGHT, MEL | {"pre_emphasis": 0.0, "window": "hann"}, {"frames": None}, {"kind": "none"}, "maximum"),
        (
            {"name": "fcn_attention", "width": 0.1},
            {"name": "logspec", "n_bins": 80},
            {"frames": 64, "evaluation_hop_frames": 20},
            {"scope": "utterance"},
            "mean_log_softmax",
        ),
        (
            {"name": "alex_net", "width": 0.04},
            {"name": "logmelspec", "n_mels": 64},
            {"frames": 64},
            {},
            "mean_probability",
        ),
        (
            {"name": "3d_acrnn", "width": 0.1},
            {"name": "logmeldeltaspec", "n_mels": 16},
            {"frames": 32, "padding": "wrap"},
            {},
            "confidence",
        ),
    ],
)
def test_a_traced_graph_agrees_with_its_predictor_on_utterances_of_other_lengths(
    tmp_path: Path,
    model: dict[str, Any],
    features: dict[str, Any],
    segments: dict[str, Any],
    normalisation: dict[str, Any],
    aggregation: str,
) -> None:
    assert difference(make(tmp_path, model, features, segments, normalisation, aggregation)) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dimensions", "distribution", "multilabel"])
def test_a_graph_contains_scales_thresholds_and_every_aggregation_of_a_task(tmp_path: Path, name: str) -> None:
    for aggregation in TASKS.get(name).aggregations:
        made = make(tmp_path, LIGHT, MEL, {"frames": 16}, aggregation=aggregation, task=name)
        assert difference(made, (2_400, 16_000, 29_000)) < 1e-5 * (40 if name == "dimensions" else 1), aggregation


@pytest.mark.slow
@pytest.mark.parametrize("family", ["whisper", "wav2vec2", "hubert"])
@pytest.mark.parametrize(("model", "pooling"), [("linear_probe", "statistics"), ("attentive_probe", "frames")])
def test_a_graph_contains_the_encoder(
    tmp_path: Path, checkpoint: Callable[[str], Path], family: str, model: str, pooling: str
) -> None:
    features = {
        "name": "encoder",
        "checkpoint": str(checkpoint(family)),
        "pooling": pooling,
        "precision": "float32",
        "layers": (0, 2),
        "level_db": None if pooling == "statistics" else -40.0,
    }
    made = make(tmp_path, {"name": model}, features, {"frames": None}, {"kind": "none"})
    # 14,720: filled up by a step more, by rounding in seconds; 8,480: half a hop more than whole ones
    assert difference(made, (2_400, 8_480, 14_720, 33_333)) < 1e-5


@pytest.mark.slow
def test_a_committee_of_unlike_front_ends_is_one_graph(tmp_path: Path) -> None:
    members = [
        make(tmp_path, LIGHT, MEL, {"frames": 32}),
        make(tmp_path, LIGHT, {"name": "logspec", "n_bins": 40}, {"frames": None}),
    ]
    assert difference(Committee(members)) < 1e-5


@pytest.mark.parametrize(
    ("features", "normalisation", "named"),
    [
        ({"name": "opensmile"}, {}, "the feature set opensmile"),
        ({"name": "lognrevspec", "n_bins": 80}, {}, "the feature set lognrevspec"),
        (MEL, {"scope": "speaker", "batch_norm": "speaker"}, "normalisation.batch_norm is speaker"),
    ],
)
def test_what_cannot_be_a_graph_is_named_in_a_sentence(
    tmp_path: Path, features: dict[str, Any], normalisation: dict[str, Any], named: str
) -> None:
    model = {"name": "linear_probe"} if features["name"] == "opensmile" else LIGHT
    predictor = make(tmp_path, model, features, {"frames": None}, normalisation)
    with pytest.raises(ConfigError, match=f"{named}.*cannot be part of a graph.*safetensors or hub"):
        Graph(predictor)


class Shown(torch.nn.Module):
    """The last steps of a task, by themselves."""

    def __init__(self, task: Task, how: str) -> None:
        super().__init__()
        self.task, self.how = task, how

    def forward(self, outputs: torch.Tensor) -> torch.Tensor:
        assert self.task.traceable is not None
        return self.task.traceable.show(outputs, self.how)


@pytest.mark.parametrize("name", ["classification", "dimensions", "distribution", "multilabel"])
def test_onnx_combines_any_number_of_segments_as_the_task_does(tmp_path: Path, name: str) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra export")
    task = TASKS.get(name)
    for how in task.aggregations:
        file, example = tmp_path / f"{how}.onnx", (torch.randn(7, 3),)
        names: Any = {
            "input_names": ["outputs"],
            "output_names": ["shown"],
            "dynamic_axes": {"outputs": {0: "segments"}},
        }
        torch.onnx.export(Shown(task, how), example, str(file), **names, opset_version=OPSET, dynamo=False)
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        for segments in (1, 2, 5, 8):
            outputs = task.activate(torch.randn(segments, 3, generator=torch.Generator().manual_seed(segments))).numpy()
            expected = task.show(task.aggregate(outputs, np.zeros(segments, dtype=np.int64), how))[0]
            np.testing.assert_allclose(session.run(None, {"outputs": outputs})[0], expected, atol=1e-6, err_msg=how)


def test_a_graph_contains_a_decision_that_is_not_the_largest_probability(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classes = TASKS.get("classification")
    task = replace(classes, traceable=Traceable(show=classes.traceable.show, decide=lambda shown: shown.argmin()))
    monkeypatch.setattr("ser_tune.export.graph.TASKS", SimpleNamespace(get=lambda name: task))
    graph = Graph(make(tmp_path, LIGHT, MEL, {"frames": 32})).eval()
    with torch.inference_mode():
        traced = torch.jit.trace(graph, (torch.randn(48_001) * 0.1,), check_trace=False)
        shown, decided = traced(torch.randn(20_000) * 0.1)
    assert shown.sum().item() == pytest.approx(1)
    assert (int(decided), decided.dtype) == (int(shown.argmin()), torch.int64)


def test_a_task_that_is_not_traceable_is_named_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = replace(TASKS.get("classification"), traceable=None)
    monkeypatch.setattr("ser_tune.export.graph.TASKS", SimpleNamespace(get=lambda name: task))
    with pytest.raises(ConfigError, match=r"the task classification cannot be part of a graph.*safetensors or hub"):
        Graph(make(tmp_path, LIGHT, MEL, {"frames": 32}))


def test_the_larger_of_two_sizes_stays_an_expression_of_a_traced_one() -> None:
    traced = torch.jit.trace(lambda tensor: torch.zeros(at_least(tensor.shape[0], 3)), (torch.zeros(5),))
    assert [traced(torch.zeros(size)).shape[0] for size in (1, 3, 7)] == [3, 3, 7]


@pytest.mark.parametrize("samples", [1, 100, 320, 4_321, 33_333])
def test_a_level_in_a_graph_is_that_of_training(samples: int) -> None:
    speech = np.random.default_rng(samples).normal(0, 0.01, samples).astype(np.float32)
    speech[samples // 2 :] *= np.float32(0.001)
    settings = FEATURE_SETS.get("waveform").settings(level_db=-26.0)
    for sound in (speech, 0 * speech):
        found = Levelled(-26.0)(torch.from_numpy(sound)).numpy()
        np.testing.assert_allclose(found, levelled(sound, settings), rtol=1e-5)
