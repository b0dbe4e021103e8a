"""Stability training: the divergence by hand, augmentation that falls on both alike, statistics of clean speech."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ser_tune.architectures.networks.convolutions import masked_batch_norm
from ser_tune.config import AugmentationSettings
from ser_tune.features import FeatureStore
from ser_tune.prediction import UtteranceFeatures
from ser_tune.training import AnyTrial, TrainingData, fit
from ser_tune.training.augmentation import apart, beside, mixer, specaugment
from ser_tune.training.descent import running_statistics_kept
from tests.goals import GOAL


def test_what_was_put_beside_comes_apart() -> None:
    clean, copies, lengths = torch.randn(3, 2, 4, 5), torch.randn(3, 2, 4, 5), torch.tensor([5, 4, 3])
    sides = apart(beside((clean, lengths), (copies, lengths)))
    for (segments, own), expected in zip(sides, (clean, copies), strict=True):
        torch.testing.assert_close(segments, expected)
        assert segments.is_contiguous(memory_format=torch.channels_last)
        assert own.tolist() == [5, 4, 3]


def test_masks_and_mixtures_fall_on_a_segment_and_its_copy_alike() -> None:
    settings = AugmentationSettings(specaugment=True, mixup=True, mixup_alpha=5.0)
    segments = torch.rand(4, 1, 20, 30) + 1.0
    torch.manual_seed(0)
    masked = specaugment(beside((segments,), (2 * segments,))[0], settings)
    mix = mixer(settings)
    assert mix is not None
    (clean,), (copies,) = apart(mix((masked,), torch.eye(3)[[0, 1, 2, 0]])[0])
    torch.testing.assert_close(copies, 2 * clean)
    assert (clean == 0).any()
    assert not torch.equal(clean, masked[:, :1])


@pytest.mark.parametrize("masked", [False, True], ids=["segments", "whole utterances"])
def test_batches_of_copies_are_normalised_by_themselves_and_leave_the_running_statistics(masked: bool) -> None:
    norm = nn.BatchNorm2d(2)

    def normalised(maps: Tensor) -> Tensor:
        return masked_batch_norm(norm, maps, torch.full((len(maps),), maps.shape[3])) if masked else norm(maps)

    clean = torch.randn(8, 2, 4, 5, generator=torch.manual_seed(0))
    normalised(clean)
    expected = {name: buffer.clone() for name, buffer in norm.named_buffers()}
    with running_statistics_kept(norm):
        said = normalised(100 + 50 * clean)
    torch.testing.assert_close(said, normalised(clean), atol=1e-4, rtol=0)
    norm.load_state_dict(norm.state_dict() | expected)
    with running_statistics_kept(norm):
        normalised(100 + 50 * clean)
    for name, buffer in norm.named_buffers():
        torch.testing.assert_close(buffer, expected[name])
    normalised(clean)  # and outside they are recorded again
    assert not torch.equal(norm.state_dict()["running_mean"], expected["running_mean"])


def test_networks_judge_by_the_statistics_of_clean_speech(config: Callable[..., AnyTrial], data: TrainingData) -> None:
    louder = UtteranceFeatures.of(
        FeatureStore.of(10 * data.features.frames.numpy() + 50, data.features.offsets), torch.device("cpu")
    )
    train, nobody = np.arange(18), np.arange(0)
    still = {"training__epochs": 1, "optimizer__learning_rate": 1e-12, "optimizer__weight_decay": 0.0}
    stable = {"perturbation__copies": 1, "perturbation__gain_db": 6.0, "perturbation__stability": 1.0}
    plain = fit(config(**still), data, train, nobody, seed=1, goal=GOAL)
    copied = replace(data, copies=(louder,))
    taught = fit(config(**still, **stable), copied, train, nobody, seed=1, goal=GOAL)
    for one, other in zip(plain.network.buffers(), taught.network.buffers(), strict=True):
        torch.testing.assert_close(one, other)
