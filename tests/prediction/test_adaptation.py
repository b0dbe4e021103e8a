"""Batch norm by the judged speaker's statistics: whose they are, how much they count, and that nothing stays behind."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ser_tune.architectures import ARCHITECTURES
from ser_tune.config import NormalisationSettings, SegmentSettings
from ser_tune.errors import ConfigError
from ser_tune.features import FEATURE_SETS, FeatureStore
from ser_tune.prediction import (
    Recipe,
    SegmentReader,
    UtteranceFeatures,
    scaling_of_utterances,
    segment_outputs,
)
from ser_tune.prediction.adaptation import SOURCE_SEGMENTS, adapted
from ser_tune.tasks import TASKS

BANDS, FRAMES = 32, 20
MakeRecipe = Callable[..., Recipe]

TASK = TASKS.get("classification")


@pytest.fixture
def make_recipe() -> MakeRecipe:
    def _make(model: str = "light_cnn", batch_norm: str = "speaker", frames: int | None = FRAMES) -> Recipe:
        return Recipe(
            labels=("anger", "joy", "sadness"),
            model=ARCHITECTURES.get(model).settings.model_validate({"width": 0.25}),
            features=FEATURE_SETS.get("logmelspec").settings.model_validate({"n_mels": BANDS}),
            shape=(1, BANDS),
            hop_s=0.01,
            segments=SegmentSettings(frames=frames),
            normalisation=NormalisationSettings.model_validate({"scope": "speaker", "batch_norm": batch_norm}),
            aggregation="mean_log_softmax",
        )

    return _make


def _network(recipe: Recipe) -> nn.Module:
    """Random weights, and statistics as if it had been trained."""
    torch.manual_seed(0)
    network = recipe.build_network().train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.randn(8, 1, BANDS, 40))
    return network.eval()


def _reader(recipe: Recipe, which: list[int], *, seed: int = 0) -> SegmentReader:
    """Of twelve utterances by three speakers, who sound unlike."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(15, 90, size=12)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    speakers = np.repeat([0, 1, 2], 4)
    frames = rng.normal(size=(offsets[-1], 1, BANDS)).astype(np.float32)
    frames[:, 0] += np.repeat(rng.normal(size=(12, BANDS)), lengths, axis=0) ** 3
    features = UtteranceFeatures.of(FeatureStore.of(frames, offsets), torch.device("cpu"))
    scaling = scaling_of_utterances(features.moments, recipe.normalisation, train=None, speakers=speakers)
    return recipe.reader(features, np.array(which), scaling, overlap=False)


def test_statistics_are_the_speakers_weighed_against_the_trainings() -> None:
    norm = nn.BatchNorm1d(3).eval()
    norm.running_mean, norm.running_var = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0])
    heard = torch.randn(2 * 48, 3, generator=torch.Generator().manual_seed(0))
    halves = heard.chunk(2)
    with adapted(norm, ((half,) for half in halves), len(heard)):
        share = SOURCE_SEGMENTS / (SOURCE_SEGMENTS + 96)
        mean = torch.stack([half.mean(dim=0) for half in halves]).mean(dim=0)
        variance = torch.stack([half.var(dim=0) for half in halves]).mean(dim=0)
        torch.testing.assert_close(norm.running_mean, share * torch.tensor([1.0, 2.0, 3.0]) + (1 - share) * mean)
        torch.testing.assert_close(norm.running_var, share * torch.tensor([4.0, 5.0, 6.0]) + (1 - share) * variance)
        assert not norm.training
    torch.testing.assert_close(norm.running_mean, torch.tensor([1.0, 2.0, 3.0]), rtol=0, atol=0)
    torch.testing.assert_close(norm.running_var, torch.tensor([4.0, 5.0, 6.0]), rtol=0, atol=0)


@pytest.mark.parametrize("model", ["light_cnn", "3d_acrnn"])
def test_nothing_of_a_speaker_stays_behind_even_after_an_error(make_recipe: MakeRecipe, model: str) -> None:
    network = _network(make_recipe(model))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    momenta = [layer.momentum for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]

    def inputs() -> list[tuple[Tensor, ...]]:
        return [(torch.randn(5, 1, BANDS, 40),)]

    with adapted(network, inputs(), 5):
        assert not torch.equal(next(iter(network.buffers())), next(iter(before.values())))
    with pytest.raises(RuntimeError, match="channels"), adapted(network, [(torch.randn(5, 7, BANDS, 40),)], 5):
        pass
    torch.testing.assert_close(network.state_dict(), before, rtol=0, atol=0)
    assert [layer.momentum for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)] == momenta
    assert not any(layer.training for layer in network.modules())


@pytest.mark.parametrize("frames", [FRAMES, None])
def test_a_speaker_is_judged_in_any_company_as_alone(make_recipe: MakeRecipe, frames: int | None) -> None:
    recipe = make_recipe(frames=frames)
    network = _network(recipe)
    together = _reader(recipe, list(range(12)))
    said = segment_outputs(network, together, TASK)
    assert not np.allclose(
        said, segment_outputs(network, _reader(make_recipe("light_cnn", "train", frames), list(range(12))), TASK)
    )
    for speaker in range(3):
        own = list(range(4 * speaker, 4 * speaker + 4))
        alone = segment_outputs(network, _reader(recipe, own), TASK)
        np.testing.assert_allclose(said[np.isin(together.plan.utterance, own)], alone, atol=1e-5)


def test_the_order_of_a_speakers_utterances_does_not_matter(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe()
    network = _network(recipe)
    first, second = _reader(recipe, [0, 1, 2, 3]), _reader(recipe, [2, 0, 3, 1])
    one, other = (segment_outputs(network, reader, TASK) for reader in (first, second))
    for place, utterance in enumerate([2, 0, 3, 1]):
        np.testing.assert_allclose(
            other[second.plan.utterance == place], one[first.plan.utterance == utterance], atol=1e-5
        )


def test_one_utterance_alone_changes_little(make_recipe: MakeRecipe) -> None:
    recipe, plain = make_recipe(), make_recipe(batch_norm="train")
    network = _network(recipe)
    distances = []
    for which in ([0], list(range(4))):
        pair = [np.exp(segment_outputs(network, _reader(one, which), TASK)) for one in (recipe, plain)]
        distances.append(np.abs(pair[0] - pair[1]).max())
    assert 0 < distances[0] < distances[1]


def test_batch_norm_of_the_speaker_goes_with_their_scaling() -> None:
    with pytest.raises(ValueError, match=r"normalisation\.batch_norm is speaker, but normalisation\.scope is train"):
        NormalisationSettings(batch_norm="speaker")


def test_an_architecture_without_batch_norm_is_refused(make_recipe: MakeRecipe) -> None:
    small = make_recipe("alex_net", frames=64)
    recipe = replace(small, features=small.features.model_copy(update={"n_mels": 64}), shape=(1, 64))
    with pytest.raises(ConfigError, match=r"normalisation\.batch_norm is speaker, but alex_net has no batch norm"):
        recipe.build_network()
