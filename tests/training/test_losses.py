"""What every loss promises, and what torch computes for cross-entropy."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ser_tune.training import LOSSES

COUNTS = torch.tensor([10.0, 5.0, 85.0])


def _batch() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(20, 3), torch.randint(3, (20,))


def _one_hot(labels: Tensor) -> Tensor:
    return nn.functional.one_hot(labels, 3).float()


def _loss(logits: Tensor, targets: Tensor, **settings: Any) -> Tensor:
    loss = LOSSES.get("cross_entropy")
    return loss.build(loss.settings.model_validate(settings), COUNTS)(logits, targets)


@pytest.mark.parametrize("name", LOSSES.names())
def test_a_loss_is_a_positive_scalar_with_gradients_and_less_where_right(name: str) -> None:
    loss = LOSSES.get(name)
    function = loss.build(loss.settings.model_validate({}), COUNTS)
    logits, labels = _batch()
    logits.requires_grad_()
    value = function(logits, _one_hot(labels))
    assert value.shape == ()
    assert value > 0
    (gradient,) = torch.autograd.grad(value, logits)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().sum() > 0
    assert function(5 * _one_hot(labels), _one_hot(labels)) < function(-5 * _one_hot(labels), _one_hot(labels))
    assert loss.name == name
    assert loss.citation


def test_without_weights_it_is_torchs_cross_entropy() -> None:
    logits, labels = _batch()
    expected = nn.functional.cross_entropy(logits, labels)
    torch.testing.assert_close(_loss(logits, _one_hot(labels), class_weighting="none"), expected)


def test_balanced_weights_are_the_inverse_of_the_counts() -> None:
    logits, labels = _batch()
    weights = 100 / (3 * COUNTS)
    # As scikit-learn's "balanced": a class's weight times its count is the same for all, and the mean weight is 1
    assert (weights * COUNTS).sum() / COUNTS.sum() == pytest.approx(1.0)
    each = nn.functional.cross_entropy(logits, labels, weight=weights, reduction="none")
    torch.testing.assert_close(_loss(logits, _one_hot(labels), class_weighting="balanced"), each.mean())


def test_label_smoothing_is_torchs() -> None:
    logits, labels = _batch()
    expected = nn.functional.cross_entropy(logits, labels, label_smoothing=0.1)
    actual = _loss(logits, _one_hot(labels), class_weighting="none", label_smoothing=0.1)
    torch.testing.assert_close(actual, expected)
    assert actual != _loss(logits, _one_hot(labels), class_weighting="none")


def test_mixed_targets_cost_the_mixture() -> None:
    logits, labels = _batch()
    other = labels.roll(1)
    mixed = 0.3 * _one_hot(labels) + 0.7 * _one_hot(other)
    expected = 0.3 * _loss(logits, _one_hot(labels)) + 0.7 * _loss(logits, _one_hot(other))
    torch.testing.assert_close(_loss(logits, mixed), expected)
