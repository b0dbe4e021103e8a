"""Losses of distributions, ratings and labels: against torch and audmetric, and where batches tell little."""

from typing import Any

import audmetric
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ser_tune.training import LOSSES
from ser_tune.training.losses import TargetStatistics

SEGMENTS, OUTPUTS = 24, 3
OF_VALUES, OF_LABELS, OF_SHARES = ("ccc", "mse", "huber"), ("bce", "binary_focal"), ("kl", "cross_entropy")
KINDS = {**dict.fromkeys(OF_VALUES, "values"), **dict.fromkeys(OF_LABELS, "labels")}
EVERY = (*OF_VALUES, *OF_LABELS, *OF_SHARES, "focal")


def _targets(kind: str, segments: int = SEGMENTS) -> Tensor:
    random = torch.Generator().manual_seed(1)
    raw = torch.randn(segments, OUTPUTS, generator=random)
    if kind == "values":  # of unlike scales, far from 0
        return 200 + torch.tensor([1.0, 10.0, 0.1]) * raw
    return (raw > 0.5).float() if kind == "labels" else torch.softmax(2 * raw, dim=1)


def _statistics(targets: Tensor) -> TargetStatistics:
    spread = targets.std(dim=0, correction=0)
    return TargetStatistics(targets.sum(dim=0), targets.mean(dim=0), torch.where(spread > 0, spread, 1.0), len(targets))


def _function(name: str, statistics: TargetStatistics, **settings: Any) -> Any:
    loss = LOSSES.get(name)
    return loss.build(loss.settings.model_validate(settings), statistics)


def _outputs(targets: Tensor, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return targets + targets.std(dim=0, correction=0) * torch.randn(targets.shape, generator=random)


@pytest.mark.parametrize("name", EVERY)
def test_a_loss_fits_the_targets_of_its_kind_and_no_other(name: str) -> None:
    assert LOSSES.get(name).targets == KINDS.get(name, "probabilities")


def test_the_loss_of_a_batch_is_1_minus_the_mean_ccc_of_audmetric() -> None:
    targets = _targets("values")
    outputs = _outputs(targets)
    known = np.mean([audmetric.concordance_cc(*pair) for pair in zip(targets.T, outputs.T, strict=True)])
    assert float(_function("ccc", _statistics(targets))(outputs, targets)) == pytest.approx(1 - known, abs=1e-4)


@pytest.mark.parametrize(("name", "reference"), [("mse", functional.mse_loss), ("huber", functional.huber_loss)])
def test_errors_are_in_deviations_of_the_training_targets(name: str, reference: Any) -> None:
    targets = _targets("values")
    outputs, statistics = _outputs(targets), _statistics(targets)
    known = reference(outputs / statistics.spread, targets / statistics.spread)
    torch.testing.assert_close(_function(name, statistics)(outputs, targets), known, rtol=1e-3, atol=1e-5)


def test_a_large_delta_makes_huber_half_of_mse_and_a_small_one_absolute() -> None:
    targets = _targets("values")
    outputs, statistics = _outputs(targets), _statistics(targets)
    squared = _function("mse", statistics)(outputs, targets)
    torch.testing.assert_close(_function("huber", statistics, delta=100)(outputs, targets), squared / 2)
    absolute = ((outputs - targets).abs() / statistics.spread).mean()
    small = _function("huber", statistics, delta=1e-4)(outputs, targets) / 1e-4
    torch.testing.assert_close(small, absolute, rtol=1e-3, atol=1e-4)


def test_many_further_segments_turn_the_gradient_of_1_minus_ccc_to_that_of_mse() -> None:
    targets = _targets("values", 4)
    statistics, directions = _statistics(_targets("values")), []
    for name, settings in (("mse", {}), ("ccc", {"prior": 1000}), ("ccc", {})):
        outputs = _outputs(targets).requires_grad_()
        (gradient,) = torch.autograd.grad(_function(name, statistics, **settings)(outputs, targets), outputs)
        directions.append((gradient * statistics.spread).flatten())
    squared, steadied, plain = directions
    assert functional.cosine_similarity(squared, steadied, dim=0) > 0.999
    assert functional.cosine_similarity(squared, plain, dim=0) < 0.99
    assert 0.1 < steadied.norm() / squared.norm() < 1


@pytest.mark.parametrize("weighting", ["none", "balanced"])
def test_kl_is_torchs_and_0_where_the_distributions_are_equal(weighting: str) -> None:
    targets = _targets("probabilities")
    logits, statistics = torch.randn(SEGMENTS, OUTPUTS), _statistics(targets)
    function = _function("kl", statistics, class_weighting=weighting)
    each = functional.kl_div(logits.log_softmax(dim=1), targets, reduction="none").sum(dim=1)
    weights = statistics.total.sum() / (OUTPUTS * statistics.total) if weighting == "balanced" else torch.ones(OUTPUTS)
    torch.testing.assert_close(function(logits, targets), (each * (targets @ weights)).mean())
    assert float(function(targets.log(), targets)) == pytest.approx(0, abs=1e-6)
    annotators_agree = torch.eye(OUTPUTS)
    torch.testing.assert_close(
        _function("kl", statistics)(logits[:OUTPUTS], annotators_agree),
        functional.cross_entropy(logits[:OUTPUTS], annotators_agree),
    )


def test_kl_and_cross_entropy_have_the_same_gradient() -> None:
    targets, found = _targets("probabilities"), []
    for name in OF_SHARES:
        logits = torch.linspace(-1, 1, targets.numel()).reshape(targets.shape).requires_grad_()
        settings = {"class_weighting": "none", "label_smoothing": 0.1}
        found.append(torch.autograd.grad(_function(name, _statistics(targets), **settings)(logits, targets), logits)[0])
    torch.testing.assert_close(*found)


def test_bce_without_weights_is_torchs() -> None:
    targets = _targets("labels")
    logits = torch.randn(SEGMENTS, OUTPUTS)
    plain = _function("bce", _statistics(targets), class_weighting="none")(logits, targets)
    torch.testing.assert_close(plain, functional.binary_cross_entropy_with_logits(logits, targets))
    smoothed = _function("bce", _statistics(targets), class_weighting="none", label_smoothing=0.2)(logits, targets)
    known = functional.binary_cross_entropy_with_logits(logits, targets.clamp(0.1, 0.9))
    torch.testing.assert_close(smoothed, known)


def test_balanced_labels_weigh_as_much_where_segments_have_them_as_where_they_lack_them() -> None:
    targets = torch.zeros(20, OUTPUTS)
    targets[:4, 0] = targets[:10, 1] = 1.0
    logits = torch.zeros(20, OUTPUTS, requires_grad=True)
    value = _function("bce", _statistics(targets))(logits, targets)
    assert float(value.detach()) == pytest.approx(np.log(2))  # the mean weight is 1
    (gradient,) = torch.autograd.grad(value, logits)
    having = gradient[:, 0] * targets[:, 0]
    assert float(having.sum()) == pytest.approx(-float((gradient[:, 0] - having).sum()))
    # As torch's `pos_weight`, but for the scale of each label
    raw = torch.randn(20, OUTPUTS)
    weight = torch.tensor([4.0, 1.0, 1.0])
    each = functional.binary_cross_entropy_with_logits(raw, targets, pos_weight=weight, reduction="none").mean(dim=0)
    scale = torch.tensor([0.5 / 0.8, 1.0, 1.0])
    torch.testing.assert_close(_function("bce", _statistics(targets))(raw, targets), (each * scale).mean())


def test_focal_loss_of_labels_is_bce_without_focus_and_turns_to_what_is_wrong() -> None:
    targets = _targets("labels")
    statistics, logits = _statistics(targets), torch.randn(SEGMENTS, OUTPUTS)
    for settings in ({}, {"class_weighting": "none", "label_smoothing": 0.1}):
        plain = _function("bce", statistics, **settings)(logits, targets)
        torch.testing.assert_close(_function("binary_focal", statistics, gamma=0, **settings)(logits, targets), plain)
    p = torch.sigmoid(logits)
    right = torch.where(targets > 0, p, 1 - p)
    by_hand = (-((1 - right) ** 2) * right.log()).mean()
    torch.testing.assert_close(_function("binary_focal", statistics, class_weighting="none")(logits, targets), by_hand)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("segments", [1, 2, SEGMENTS])
@pytest.mark.parametrize("constant", [False, True], ids=["varied", "constant"])
def test_gradients_are_finite_and_bounded_whatever_the_batch(name: str, segments: int, constant: bool) -> None:
    """Of a single segment, of two, of equal targets, at the target, near it and far from it."""
    kind = KINDS.get(name, "probabilities")
    statistics, targets = _statistics(_targets(kind)), _targets(kind, segments)
    if constant:
        targets = targets[:1].expand(segments, -1)
    far = targets + 1000 * statistics.spread
    for start in (targets, targets + 1e-4 * statistics.spread, far, targets.mean().expand(segments, OUTPUTS)):
        outputs = start.clone().requires_grad_()
        value = _function(name, statistics)(outputs, targets)
        (gradient,) = torch.autograd.grad(value, outputs)
        assert torch.isfinite(value)
        assert torch.isfinite(gradient).all()
        assert float((gradient * statistics.spread).norm()) < 3000


@pytest.mark.parametrize("name", EVERY)
def test_targets_that_never_vary_train(name: str) -> None:
    kind = KINDS.get(name, "probabilities")
    targets = _targets(kind)[:1].expand(SEGMENTS, -1)
    outputs = torch.zeros(SEGMENTS, OUTPUTS, requires_grad=True)
    value = _function(name, _statistics(targets))(outputs, targets)
    assert torch.isfinite(torch.autograd.grad(value, outputs)[0]).all()


@pytest.mark.parametrize("name", EVERY)
def test_half_precision_outputs_cost_nearly_the_same(name: str) -> None:
    kind = KINDS.get(name, "probabilities")
    targets = _targets(kind)
    if kind == "values":
        targets = targets - 200  # which bfloat16 holds with two digits
    function, outputs = _function(name, _statistics(targets)), _outputs(targets)
    with torch.autocast("cpu", torch.bfloat16):
        half = function(outputs.bfloat16(), targets)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, function(outputs, targets), rtol=0.03, atol=0.01)


@pytest.mark.parametrize("name", EVERY)
def test_descent_by_any_loss_comes_near_its_targets(name: str) -> None:
    kind = KINDS.get(name, "probabilities")
    targets = _targets(kind)
    statistics = _statistics(targets)
    function = _function(name, statistics)
    position = torch.zeros(SEGMENTS, OUTPUTS, requires_grad=True)
    scale, shift = (statistics.spread, statistics.mean) if kind == "values" else (torch.tensor(1.0), torch.tensor(0.0))
    optimizer = torch.optim.Adam([position], lr=0.1)
    first = None
    for _ in range(150):
        optimizer.zero_grad()
        value = function(shift + scale * (position + 0.1), targets)
        first = value.detach() if first is None else first
        value.backward()
        optimizer.step()
    lowest = function(targets.log() if kind == "probabilities" else targets, targets) if kind != "labels" else 0.0
    assert first is not None
    assert float(value.detach()) < 0.1 * float(first) + max(float(lowest), 0)
