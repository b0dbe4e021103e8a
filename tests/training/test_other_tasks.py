"""Training for another task than one emotion of several, by metrics that are low, negative or not defined."""

import math
import pickle
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from ser_tune.architectures import ARCHITECTURES
from ser_tune.tasks import TASKS, Goal
from ser_tune.training import AnyTrial, FittedNetwork, TrainingData, fit, fold_statistics
from tests.ranks import GOAL, ranks

pytestmark = pytest.mark.usefixtures("ranks")

Config = Callable[..., AnyTrial]
TRAIN, VALIDATION = np.arange(12), np.arange(12, 24)


@pytest.fixture
def ranked(data: TrainingData) -> TrainingData:
    """The toy corpus with its three classes as ranks, in two strata."""
    return replace(data, targets=ranks(data.targets.values))


def _fit(config: AnyTrial, data: TrainingData, validation: np.ndarray = VALIDATION) -> FittedNetwork:
    return fit(config, data, TRAIN, validation, seed=1, goal=GOAL)


def test_reports_have_the_goals_metrics_of_what_the_task_decides(config: Config, ranked: TrainingData) -> None:
    fitted = _fit(config(training__selection="best_validation_score"), ranked)
    truth = ranked.targets.values[VALIDATION]
    told = np.rint(np.exp(fitted.validation) @ np.arange(3)).astype(int)
    distance = float(np.abs(told - truth).mean())
    kept = fitted.history[fitted.epoch - 1]
    assert tuple(kept.validation) == GOAL.metrics == ("distance", "agreement", "spread")
    assert (kept.score, kept.validation["agreement"]) == (distance, -distance)
    assert tuple(kept.curves)[2:5] == ("validation_distance", "validation_agreement", "validation_spread")
    # The least distance is kept, and pruning sees it
    distances = [one.score for one in fitted.history]
    assert distance == min(distances)
    assert [one.kept for one in fitted.history] == [min(distances[: n + 1]) for n in range(len(distances))]


def test_where_nobody_validates_all_scores_are_missing(config: Config, ranked: TrainingData) -> None:
    (report, *_) = _fit(config(training__epochs=1), ranked, np.arange(0)).history
    assert tuple(report.validation) == GOAL.metrics
    assert all(map(math.isnan, (*report.validation.values(), report.score, report.kept, report.validation_loss)))


def test_strata_that_are_no_outputs_are_counted_and_drawn(config: Config, ranked: TrainingData) -> None:
    wanted = config(segments__frames=48, training__epochs=1, training__batch_size=1024, training__sampling="oversample")
    assert fold_statistics(wanted, ranked, TRAIN).stratum_counts.tolist() == [8, 4]
    losses = {}
    for weighting in ("none", "balanced"):
        one = wanted.model_copy(update={"loss": wanted.loss.model_copy(update={"class_weighting": weighting})})
        losses[weighting] = _fit(one, ranked).history[0].train_loss
    # Drawn are 6 segments of the ranks 0 and 1, and 6 of rank 2: in weights, 3, 3 and 6
    assert all(map(math.isfinite, losses.values()))
    assert losses["none"] != losses["balanced"]


def test_an_ensemble_is_averaged_as_the_task_says_also_after_pickling(config: Config, ranked: TrainingData) -> None:
    fitted = _fit(config(model__networks=2, training__epochs=1), ranked)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(TASKS.get("ranks").members)
    network = pickle.loads(pickle.dumps(fitted)).network
    inputs = torch.randn(2, 3, 8, 16)
    with torch.no_grad():
        raw = torch.stack([member(inputs) for member in fitted.network.members])
        torch.testing.assert_close(network(inputs), raw.mean(dim=0), rtol=0, atol=0)


def test_stability_is_the_tasks_divergence(
    config: Config, ranked: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Size] = []

    def divergence(clean: torch.Tensor, copies: torch.Tensor) -> torch.Tensor:
        seen.append(clean.shape)
        return (clean - copies).square().mean()

    monkeypatch.setattr("tests.ranks.RANKS", replace(TASKS.get("ranks"), divergence=divergence))
    noisy = replace(ranked, copies=(ranked.features,))
    stable = {"perturbation__copies": 1, "perturbation__noise_snr_db": 10.0, "perturbation__stability": 0.5}
    _fit(config(training__epochs=1, **stable), noisy)
    assert {shape[1] for shape in seen} == {3}


def test_of_epochs_whose_scores_are_not_defined_the_one_of_least_loss_is_kept(
    config: Config, ranked: TrainingData
) -> None:
    goal = replace(GOAL, metrics=("spread", "distance"))
    restless = config(training__epochs=4, training__selection="best_validation_score", optimizer__learning_rate=0.03)
    fitted = fit(restless, ranked, TRAIN, VALIDATION[:1], seed=1, goal=goal)  # a single prediction has no spread
    losses = [one.validation_loss for one in fitted.history]
    assert fitted.epoch == 1 + losses.index(min(losses))
    assert all(math.isnan(one.score) and math.isnan(one.kept) for one in fitted.history)
    assert all(math.isfinite(one.validation["distance"]) for one in fitted.history)


def test_a_solver_is_judged_by_the_task_too(config: Config, ranked: TrainingData) -> None:
    values = ranked.targets.values[:, np.newaxis].astype(np.float64)
    rated = replace(ranked, targets=replace(ranked.targets, names=("rank",), values=values))
    probe, base = ARCHITECTURES.get("linear_probe").settings.model_validate({}), config(segments__frames=None)
    probe = probe.model_copy(update={"objective": "ridge"})
    goal = Goal("dimensions", "mean", ("mae", "rmse"))
    fitted = fit(base.model_copy(update={"model": probe}), rated, TRAIN, VALIDATION, seed=1, goal=goal)
    (report,) = fitted.history
    assert report.validation_loss == TASKS.get("dimensions").error(fitted.validation, values[VALIDATION])
    assert report.kept == report.score == report.validation["mae"] < 0.5
    # Its training loss is the same figure, of the utterances that it was fitted to
    assert report.train_loss < 0.01
