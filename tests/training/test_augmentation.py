"""SpecAugment and mixup: what they change, and what they leave."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import one_hot
from torchvision.transforms import v2

from ser_tune.config import AugmentationSettings
from ser_tune.training.augmentation import mixer, specaugment

QUICK = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _runs(masked: np.ndarray) -> int:
    """How many runs of true there are in (N,)."""
    return int(masked[0]) + sum(int(after and not before) for before, after in pairwise(masked))


@QUICK
@given(
    masks=st.integers(1, 4),
    frequency=st.floats(0.01, 0.5),
    time=st.floats(0.01, 0.5),
    bands=st.integers(8, 40),
    frames=st.integers(16, 60),
    seed=st.integers(0, 1000),
)
def test_only_bands_of_frequencies_and_of_frames_are_masked(
    masks: int, frequency: float, time: float, bands: int, frames: int, seed: int
) -> None:
    wanted = AugmentationSettings(specaugment=True, masks=masks, frequency_mask=frequency, time_mask=time)
    torch.manual_seed(seed)
    segments = torch.rand(3, 2, bands, frames) + 1.0
    before = segments.clone()
    augmented = specaugment(segments, wanted)
    torch.testing.assert_close(segments, before, rtol=0, atol=0)
    for one, original in zip(augmented, segments, strict=True):
        gone = (one == 0).numpy()
        np.testing.assert_array_equal(one.numpy()[~gone], original.numpy()[~gone])
        np.testing.assert_array_equal(gone[0], gone[1])
        rows, columns = gone[0].all(axis=1), gone[0].all(axis=0)
        # Masked is what lies in a masked band or in a masked frame, and nothing else
        np.testing.assert_array_equal(gone[0], rows[:, None] | columns[None, :])
        if gone.all():  # where all bands are masked, nobody can tell which frames are
            continue
        for axis, widest in ((rows, frequency), (columns, time)):
            assert _runs(axis) <= masks
            assert axis.sum() <= masks * np.ceil(widest * len(axis))


def test_masks_differ_between_segments_and_calls() -> None:
    torch.manual_seed(0)
    segments = torch.ones(4, 1, 40, 60)
    wanted = AugmentationSettings(specaugment=True)
    first, second = specaugment(segments, wanted), specaugment(segments, wanted)
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])


def test_masks_are_half_of_their_largest_width_on_average() -> None:
    torch.manual_seed(0)
    wanted = AugmentationSettings(specaugment=True, masks=1, frequency_mask=0.4, time_mask=0.01)
    masked = specaugment(torch.ones(4000, 1, 50, 1), wanted)[:, 0, :, 0] == 0
    assert masked.float().mean().item() == pytest.approx(0.2, abs=0.01)
    # Any band can be hit, those in the middle more often, and the first as often as the last
    by_band = masked.float().mean(dim=0)
    assert (by_band > 0).all()
    torch.testing.assert_close(by_band, by_band.flip(0), rtol=0, atol=0.04)


def test_without_mixup_there_is_no_mixer() -> None:
    assert mixer(AugmentationSettings(mixup=False)) is None


@QUICK
@given(alpha=st.floats(0.05, 5.0), seed=st.integers(0, 1000), per_sample=st.booleans(), dominant=st.booleans())
def test_mixup_mixes_segments_and_labels_alike(alpha: float, seed: int, per_sample: bool, dominant: bool) -> None:
    mix = mixer(
        AugmentationSettings(mixup=True, mixup_alpha=alpha, mixup_per_sample=per_sample, mixup_dominant=dominant)
    )
    assert mix is not None
    torch.manual_seed(seed)
    labels = torch.tensor([0, 1, 2, 3])
    # A segment holds its own label, one-hot along the bands, so that mixing shows in both alike
    own_targets = one_hot(labels, 4).float()
    segments = own_targets[:, None, :, None].expand(-1, 3, -1, 5).contiguous()
    (mixed,), targets = mix((segments,), own_targets)
    assert mixed.shape == segments.shape
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(4))
    torch.testing.assert_close(mixed, targets[:, None, :, None].expand(-1, 3, -1, 5))
    assert ((targets > 0).sum(dim=1) <= 2).all()
    # How much of each segment is its own
    own = targets[torch.arange(4), labels]
    assert (own.unique().numel() > 1) == per_sample or own.max() - own.min() < 1e-6
    if dominant:
        assert (own >= 0.5 - 1e-6).all()


def _own_shares(**written: bool) -> Tensor:
    """How much of each of 2000 segments is its own, in five batches."""
    mix = mixer(AugmentationSettings(mixup=True, mixup_alpha=1.0, **written))
    assert mix is not None
    torch.manual_seed(0)
    labels = torch.arange(2000) % 2
    before, each = one_hot(labels, 2).float(), torch.arange(2000)
    return torch.stack([mix((torch.zeros(2000, 1, 1, 1),), before)[1][each, labels] for _ in range(5)])


def test_weights_are_drawn_for_a_batch_or_for_every_segment() -> None:
    for dominant, mean in ((False, 0.5), (True, 0.75)):  # of uniform weights, and of the larger part
        batch = _own_shares(mixup_dominant=dominant)
        assert (batch.std(dim=1) < 1e-6).all()
        assert batch[:, 0].unique().numel() == 5
        each = _own_shares(mixup_per_sample=True, mixup_dominant=dominant)
        assert each.mean().item() == pytest.approx(mean, abs=0.02)
        assert each.min() >= (0.5 if dominant else 0.0)
        assert each.unique().numel() > 9000


def test_plain_mixup_is_torchvisions() -> None:
    mix = mixer(AugmentationSettings(mixup=True))
    assert mix is not None
    segments, labels = torch.randn(6, 1, 4, 5), torch.tensor([0, 1, 2, 0, 1, 2])
    torch.manual_seed(3)
    (mixed,), targets = mix((segments,), one_hot(labels, 3).float())
    torch.manual_seed(3)
    expected = v2.MixUp(alpha=0.2, num_classes=3)(segments, labels)
    torch.testing.assert_close([mixed, targets], list(expected), rtol=0, atol=0)


@pytest.mark.parametrize("per_sample", [False, True])
def test_a_mixture_is_as_long_as_the_longer_of_both(per_sample: bool) -> None:
    mix = mixer(AugmentationSettings(mixup=True, mixup_alpha=1.0, mixup_per_sample=per_sample))
    assert mix is not None
    torch.manual_seed(0)
    labels, lengths = torch.tensor([0, 1, 2, 3]), torch.tensor([30, 50, 20, 40])
    segments = torch.zeros(4, 1, 5, 50)
    for one, length in zip(segments, lengths, strict=True):
        one[:, :, :length] = 1.0
    (mixed, longer), targets = mix((segments, lengths), one_hot(labels, 4).float())
    assert longer.dtype == torch.int64
    for number in range(4):
        both = targets[number].nonzero().flatten()
        assert len(both) == 2
        assert longer[number] == lengths[both].max()
        # And that is where the mixture ends
        assert (mixed[number, :, :, : longer[number]] > 0).all()
        assert (mixed[number, :, :, longer[number] :] == 0).all()
    assert lengths.tolist() == [30, 50, 20, 40]


def test_masks_of_time_keep_within_each_utterance() -> None:
    torch.manual_seed(0)
    lengths = torch.tensor([10, 40] * 2000)
    wanted = AugmentationSettings(specaugment=True, masks=1, frequency_mask=0.01, time_mask=0.4)
    masked = specaugment(torch.ones(4000, 1, 20, 40), wanted, lengths)[:, 0].sum(dim=1) == 0
    assert not masked[lengths == 10, 10:].any()
    # Half of the largest width on average, as a fraction of the utterance's own length
    for length in (10, 40):
        assert masked[lengths == length, :length].float().mean().item() == pytest.approx(0.2, abs=0.01)
