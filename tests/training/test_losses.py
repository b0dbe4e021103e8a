"""What every loss promises, and what torch computes for cross-entropy."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ser_tune.training import LOSSES
from ser_tune.training.losses import TargetStatistics

COUNTS = torch.tensor([10.0, 5.0, 85.0])
STATISTICS = TargetStatistics(COUNTS, COUNTS / 100, torch.ones(3), 100)


def _batch() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(20, 3), torch.randint(3, (20,))


def _one_hot(labels: Tensor) -> Tensor:
    return nn.functional.one_hot(labels, 3).float()


def _loss(logits: Tensor, targets: Tensor, name: str = "cross_entropy", **settings: Any) -> Tensor:
    loss = LOSSES.get(name)
    return loss.build(loss.settings.model_validate(settings), STATISTICS)(logits, targets)


@pytest.mark.parametrize("name", LOSSES.names())
def test_a_loss_is_a_positive_scalar_with_gradients_and_less_where_right(name: str) -> None:
    loss = LOSSES.get(name)
    function = loss.build(loss.settings.model_validate({}), STATISTICS)
    logits, labels = _batch()
    logits.requires_grad_()
    value = function(logits, _one_hot(labels))
    assert value.shape == ()
    assert value > 0
    (gradient,) = torch.autograd.grad(value, logits)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().sum() > 0
    assert function(5 * _one_hot(labels), _one_hot(labels)) < function(-5 * _one_hot(labels), _one_hot(labels))
    # Certain and right: next to no loss, and no gradient that is not finite
    certain = (1000 * _one_hot(labels)).requires_grad_()
    (gradient,) = torch.autograd.grad(function(certain, _one_hot(labels)), certain)
    assert torch.isfinite(gradient).all()
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


@pytest.mark.parametrize("name", ["cross_entropy", "focal", "bce", "binary_focal"])
def test_mixed_targets_cost_the_mixture(name: str) -> None:
    logits, labels = _batch()
    other = labels.roll(1)
    mixed = 0.3 * _one_hot(labels) + 0.7 * _one_hot(other)
    expected = 0.3 * _loss(logits, _one_hot(labels), name) + 0.7 * _loss(logits, _one_hot(other), name)
    torch.testing.assert_close(_loss(logits, mixed, name), expected)


def test_effective_number_weights_by_hand() -> None:
    # With beta 0.9, 10, 5 and 85 segments count as 6.513, 4.095 and 9.999
    inverse = 1 / torch.tensor([6.5132, 4.0951, 9.9987])
    weights = inverse * 100 / (inverse * COUNTS).sum()
    logits, labels = _batch()
    each = nn.functional.cross_entropy(logits, labels, weight=weights, reduction="none")
    found = _loss(logits, _one_hot(labels), class_weighting="effective_number", beta=0.9)
    torch.testing.assert_close(found, each.mean(), rtol=1e-4, atol=0)


@pytest.mark.parametrize(("beta", "same"), [(0.0, "none"), (1 - 1e-9, "balanced")])
def test_effective_numbers_lie_between_no_weights_and_balanced_ones(beta: float, same: str) -> None:
    logits, labels = _batch()
    found = _loss(logits, _one_hot(labels), class_weighting="effective_number", beta=beta)
    torch.testing.assert_close(found, _loss(logits, _one_hot(labels), class_weighting=same))


@pytest.mark.parametrize("weighting", ["none", "balanced", "effective_number"])
def test_focal_loss_without_focus_is_cross_entropy(weighting: str) -> None:
    logits, labels = _batch()
    mixed = 0.3 * _one_hot(labels) + 0.7 * _one_hot(labels.roll(1))
    both: dict[str, Any] = {"class_weighting": weighting, "label_smoothing": 0.1}
    torch.testing.assert_close(_loss(logits, mixed, "focal", gamma=0.0, **both), _loss(logits, mixed, **both))


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_loss_by_hand(gamma: float) -> None:
    logits, labels = _batch()
    p = torch.softmax(logits, dim=1)[torch.arange(20), labels]
    expected = (-((1 - p) ** gamma) * p.log()).mean()
    torch.testing.assert_close(_loss(logits, _one_hot(labels), "focal", gamma=gamma, class_weighting="none"), expected)


def test_focal_loss_turns_to_what_is_judged_wrongly() -> None:
    labels = torch.tensor([0, 0])
    logits = torch.tensor([[3.0, 0.0, 0.0], [-3.0, 0.0, 0.0]])
    shares = []
    for name in ("cross_entropy", "focal"):
        logits.requires_grad_()
        (gradient,) = torch.autograd.grad(_loss(logits, _one_hot(labels), name), logits)
        shares.append((gradient[0].norm() / gradient[1].norm()).item())
    assert shares[1] < 0.1 * shares[0]
