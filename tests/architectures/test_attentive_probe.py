"""`attentive_probe`: what it computes of frames, what it trains with, and that float16 features suffice."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ser_tune.architectures import ARCHITECTURES, InputShape
from ser_tune.config import NormalisationSettings, TrialConfig, nest, validated
from ser_tune.features import FEATURE_SETS, FeatureStore
from ser_tune.prediction import Predictor, UtteranceFeatures
from ser_tune.search import define_study
from ser_tune.training import LOSSES, AnyTrial, TrainingData, fit, recipe_of
from tests.goals import GOAL, classes

LAYERS, WIDTH, N_CLASSES = 3, 8, 3
ARCHITECTURE = ARCHITECTURES.get("attentive_probe")
TRAIN, VALIDATION = np.arange(12), np.arange(12, 18)


def _network(**settings: Any) -> nn.Module:
    torch.manual_seed(0)
    written = {"projection": 6, "hidden": 5, "dropout": 0.0} | settings
    network = ARCHITECTURE.build(ARCHITECTURE.settings.model_validate(written), InputShape(LAYERS, WIDTH, 1), N_CLASSES)
    nn.init.normal_(cast("Tensor", network.layer_scores))
    return network


def _padded(lengths: list[int], further: int = 0, filling: float = 0.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    batch = torch.full((len(lengths), LAYERS, WIDTH, max(lengths) + further), filling)
    for row, length in zip(batch, lengths, strict=True):
        row[:, :, :length] = torch.randn(LAYERS, WIDTH, length, generator=generator) + 2
    return batch, torch.tensor(lengths)


def test_logits_are_those_of_the_weighted_layers_attentive_statistics() -> None:
    network, (segments, _) = _network().eval(), _padded([4])
    shares = torch.exp(cast("Tensor", network.layer_scores))
    shares = shares / shares.sum()
    mixed = sum(share * segments[0, layer] for layer, share in enumerate(shares))
    frames = nn.functional.gelu(network.get_submodule("projection.1")(cast("Tensor", mixed).T))
    attention = network.get_submodule("statistics.attention")
    weights = torch.softmax(
        attention.get_submodule("score")(torch.tanh(attention.get_submodule("projection")(frames)))[:, 0], dim=0
    )
    mean = (weights[:, None] * frames).sum(dim=0)
    deviation = ((weights[:, None] * frames.square()).sum(dim=0) - mean.square()).clamp(min=1e-6).sqrt()
    hidden = nn.functional.gelu(network.get_submodule("classifier.1")(torch.cat([mean, deviation])))
    torch.testing.assert_close(network(segments)[0], network.get_submodule("classifier.4")(hidden))


@pytest.mark.parametrize("filling", [0.0, 40.0])
def test_padding_does_not_change_logits(filling: float) -> None:
    network, lengths = _network().eval(), [1, 7, 3]
    together = network(*_padded(lengths, further=5, filling=filling))
    segments, _ = _padded(lengths)
    alone = torch.cat([network(one[None, :, :, :length]) for one, length in zip(segments, lengths, strict=True)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
    assert (together[0] - together[1]).abs().max() > 1e-4


def test_padding_gets_no_gradient_and_every_parameter_gets_one() -> None:
    network, (segments, lengths) = _network().train(), _padded([2, 6])
    segments.requires_grad_()
    network(segments, lengths).logsumexp(dim=1).sum().backward()
    assert segments.grad is not None
    assert not segments.grad[0, :, :, 2:].any()
    assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in network.parameters())


def test_width_multiplies_projection_and_hidden() -> None:
    network = _network(projection=8, hidden=6, width=0.5)
    assert [tuple(one.shape) for one in network.parameters() if one.ndim == 2] == [
        (4, WIDTH),
        (4, 4),
        (1, 4),
        (3, 8),
        (N_CLASSES, 3),
    ]


def test_its_search_is_small_and_about_itself() -> None:
    study = define_study(flags={"model.name": "attentive_probe", "corpus.name": "emodb"})
    assert study.config.segments.frames is None
    assert study.config.features.model_dump()["pooling"] == "frames"
    assert set(study.search) == {
        "model.projection",
        "model.hidden",
        "model.dropout",
        "augmentation.mixup",
        "optimizer.learning_rate",
        "optimizer.weight_decay",
    }


@pytest.fixture
def data() -> TrainingData:
    """18 utterances of 5 to 30 frames in float16, as the cache stores an encoder's; the emotion moves some units."""
    rng = np.random.default_rng(0)
    lengths, labels = rng.integers(5, 31, size=18), np.arange(18) % N_CLASSES
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    frames = rng.normal(size=(offsets[-1], LAYERS, WIDTH)).astype(np.float16)
    for number, label in enumerate(labels):
        frames[offsets[number] : offsets[number + 1], 1, 2 * label : 2 * label + 2] += 2.0
    features = UtteranceFeatures.of(FeatureStore.of(frames, offsets), torch.device("cpu"))
    return TrainingData(features=features, targets=classes(labels, "abc"), speakers=np.arange(18) // 6)


def _config(**changes: Any) -> AnyTrial:
    """A configuration whose features are, for their shape alone, logmeldeltaspec: 3 × 8."""
    base: dict[str, Any] = {
        "model.projection": 8,
        "model.hidden": 8,
        "model.dropout": 0.0,
        "features.n_mels": WIDTH,
        "segments.frames": None,
        "optimizer.learning_rate": 0.02,
        "training.epochs": 15,
        "training.batch_size": 4,
        "training.precision": "float32",
        "training.device": "cpu",
        "loss.name": "cross_entropy",
    }
    flat = {path.replace("__", "."): value for path, value in changes.items()}
    parts = (
        ARCHITECTURE.settings,
        FEATURE_SETS.get("logmeldeltaspec").settings,
        LOSSES.get("cross_entropy").settings,
    )
    kind = cast("type[AnyTrial]", TrialConfig.__class_getitem__(parts))
    return validated(kind, nest(base | flat), lambda path: path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"augmentation__mixup": True},
        {"augmentation__specaugment": True, "training__epochs": 30},
        {"augmentation__mixup": True, "augmentation__mixup_per_sample": True, "model__networks": 2},
        {"training__averaging": "ema", "training__sampling": "oversample"},
        {"segments__frames": 16, "segments__crop": "random"},
    ],
    ids=["plain", "mixup", "specaugment", "ensemble", "average", "segments"],
)
def test_it_learns_with_every_technique(data: TrainingData, changes: dict[str, Any]) -> None:
    fitted = fit(_config(**changes), data, TRAIN, VALIDATION, seed=0, goal=GOAL)
    assert (fitted.validation.argmax(axis=1) == data.targets.values[VALIDATION]).mean() >= 5 / 6


def test_a_saved_probe_judges_as_in_training(data: TrainingData, tmp_path: Path) -> None:
    config = _config(training__epochs=2)
    fitted = fit(config, data, TRAIN, VALIDATION, seed=0, goal=GOAL)
    recipe = recipe_of(config, data.targets.names, GOAL)
    Predictor(recipe, [fitted.network], [fitted.scaling]).save(tmp_path)
    scores, reader = Predictor.load(tmp_path).outputs(0, data.features, VALIDATION, data.speakers)
    assert reader.plan.utterance.tolist() == list(range(len(VALIDATION)))
    np.testing.assert_allclose(scores, fitted.validation, atol=1e-5)


@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_float16_features_are_scaled_as_float32_ones_are(kind: Any) -> None:
    rng = np.random.default_rng(0)
    frames = rng.normal(0, 9000, size=(40, LAYERS, WIDTH)).clip(-60000, 60000).astype(np.float16)
    frames[0], frames[1] = -60000, 60000  # whose difference float16 cannot hold
    offsets, settings = np.array([0, 10, 40]), NormalisationSettings(kind=kind)
    half, full = (
        FeatureStore.of(one, offsets).moments.scaling(np.arange(2), settings)
        for one in (frames, frames.astype(np.float32))
    )
    assert half.spread.dtype == half.shift.dtype == np.float32
    np.testing.assert_allclose(half.shift, full.shift, rtol=1e-6)
    np.testing.assert_allclose(half.spread, full.spread, rtol=1e-6)
