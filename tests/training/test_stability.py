"""Stability training: the divergence by hand, augmentation that falls on both alike, and what it does to networks."""

import numpy as np
import pytest
import torch

from ser_tune.config import AugmentationSettings
from ser_tune.training.augmentation import mixer, specaugment
from ser_tune.training.stability import apart, beside, divergence


def test_the_divergence_is_that_of_the_definition() -> None:
    clean = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))
    copies = torch.log(torch.tensor([[0.25, 0.5, 0.25], [0.1, 0.1, 0.8]]))
    by_hand = (0.5 * np.log(2) + 0.25 * np.log(0.5) + 0.0) / 2
    assert float(divergence(clean + 3.0, copies - 1.0)) == pytest.approx(
        by_hand, abs=1e-6
    )  # whatever is added to logits
    assert float(divergence(clean, clean)) == pytest.approx(0.0, abs=1e-7)


def test_the_divergence_teaches_both_sides() -> None:
    clean, copies = (torch.randn(4, 3, generator=torch.manual_seed(0)).requires_grad_() for _ in range(2))
    divergence(clean, copies + 1.0 * torch.arange(3.0)).backward()  # type: ignore[no-untyped-call]
    for one in (clean, copies):
        assert one.grad is not None
        assert one.grad.abs().max() > 1e-3


def test_what_was_put_beside_comes_apart() -> None:
    clean, copies, lengths = torch.randn(3, 2, 4, 5), torch.randn(3, 2, 4, 5), torch.tensor([5, 4, 3])
    both, twice = apart(beside((clean, lengths), (copies, lengths)))
    torch.testing.assert_close(both, torch.cat([clean, copies]))
    assert both.is_contiguous(memory_format=torch.channels_last)
    assert twice.tolist() == [5, 4, 3, 5, 4, 3]


def test_masks_and_mixtures_fall_on_a_segment_and_its_copy_alike() -> None:
    settings = AugmentationSettings(specaugment=True, mixup=True, mixup_alpha=5.0)
    segments = torch.rand(4, 1, 20, 30) + 1.0
    torch.manual_seed(0)
    masked = specaugment(beside((segments,), (2 * segments,))[0], settings)
    mix = mixer(settings, 3)
    assert mix is not None
    (both,) = apart(mix((masked,), torch.tensor([0, 1, 2, 0]))[0])
    clean, copies = both.chunk(2)
    torch.testing.assert_close(copies, 2 * clean)
    assert (clean == 0).any()
    assert not torch.equal(clean, masked[:, :1])
