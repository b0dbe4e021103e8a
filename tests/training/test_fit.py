"""Training one fold: it learns, it repeats, it stops, and it knows nothing of those it is judged by."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from ser_tune.config import NormalisationSettings
from ser_tune.errors import NonFiniteLossError
from ser_tune.prediction import Predictor, SegmentReader
from ser_tune.training import AnyTrial, EpochReport, FittedNetwork, TrainingData, fit, fold_seed, recipe_of
from tests.goals import GOAL, classes

Config = Callable[..., AnyTrial]
MakeData = Callable[[np.ndarray, np.ndarray, np.ndarray], TrainingData]
TRAIN, VALIDATION = np.arange(12), np.arange(12, 18)
NOBODY = np.arange(0)
PATIENT: dict[str, object] = {
    "model__width": 0.1,
    "segments__last_block": "overlap",
    "training__epochs": 30,
    "training__batch_size": 16,
    "optimizer__learning_rate": 0.03,
}
"""Enough steps for batch norm's running means to arrive; half a second."""


def _fit(
    config: AnyTrial,
    data: TrainingData,
    validation: np.ndarray = VALIDATION,
    *,
    seed: int = 1,
    on_epoch: Callable[[EpochReport], None] = lambda _: None,
) -> FittedNetwork:
    return fit(config, data, TRAIN, validation, seed=seed, goal=GOAL, on_epoch=on_epoch)


def _timeless(fitted: FittedNetwork) -> list[EpochReport]:
    return [replace(report, seconds=0.0) for report in fitted.history]


def _changed(data: TrainingData, make_data: MakeData, utterances: np.ndarray) -> TrainingData:
    """The same corpus but for the features and labels of some utterances."""
    frames, labels = data.features.frames.numpy().copy(), data.targets.values.copy()
    for one in utterances:
        frames[data.features.offsets[one] : data.features.offsets[one + 1]] *= -50.0
    labels[utterances] = (labels[utterances] + 1) % 3
    return make_data(frames, data.features.offsets, labels)


@pytest.mark.slow
def test_a_separable_problem_is_learnt(config: Config, data: TrainingData) -> None:
    wanted = config(
        training__selection="best_validation_score",
        model__width=0.1,
        training__epochs=40,
        optimizer__learning_rate=0.01,
    )
    fitted = _fit(wanted, data)
    assert fitted.history[-1].train_loss < 0.6 < fitted.history[0].train_loss  # ten seeds: 0.01 to 0.42, and 1.1
    assert max(report.score for report in fitted.history) == 1.0
    # And for utterances that neither trained nor validated
    test = np.arange(18, 24)
    recipe = recipe_of(wanted, data.targets.names, GOAL)
    predictor = Predictor(recipe, [fitted.network], [fitted.scaling])
    scores, reader = predictor.outputs(0, data.features, test, data.speakers)
    assert (scores.argmax(axis=1) == data.targets.values[test][reader.plan.utterance]).mean() > 0.7


def test_every_epoch_is_reported_as_it_ends(config: Config, data: TrainingData) -> None:
    told: list[EpochReport] = []
    fitted = _fit(config(), data, on_epoch=told.append)
    assert tuple(told) == fitted.history
    assert [report.epoch for report in told] == [1, 2, 3]
    for report in told:
        assert all(
            math.isfinite(value) for value in (report.train_loss, report.validation_loss, report.validation["wa"])
        )
        assert report.seconds > 0


def test_what_the_listener_raises_ends_the_training(config: Config, data: TrainingData) -> None:
    class Enough(Exception):  # noqa: N818 - not an error
        pass

    def stop(report: EpochReport) -> None:
        if report.epoch == 2:
            raise Enough

    with pytest.raises(Enough):
        _fit(config(), data, on_epoch=stop)


@pytest.mark.slow
@pytest.mark.parametrize("augmented", [False, True])
def test_one_seed_gives_one_result(config: Config, data: TrainingData, augmented: bool) -> None:
    wanted = config(
        model__dropout=0.3, training__epochs=2, augmentation__mixup=augmented, augmentation__specaugment=augmented
    )
    first = _fit(wanted, data)
    torch.rand(7)  # whatever was drawn before does not matter
    second, other = _fit(wanted, data), _fit(wanted, data, seed=2)
    assert _timeless(first) == _timeless(second)
    torch.testing.assert_close(first.network.state_dict(), second.network.state_dict(), rtol=0, atol=0)
    np.testing.assert_array_equal(first.validation, second.validation)
    assert _timeless(first) != _timeless(other)
    assert not np.allclose(first.validation, other.validation)


def test_every_fold_of_every_trial_has_a_seed_of_its_own() -> None:
    seeds = [fold_seed(seed, fold) for seed in range(30) for fold in range(10)]
    assert len(set(seeds)) == len(seeds)
    assert fold_seed(3, 4) == seeds[3 * 10 + 4]


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["train", "speaker", "utterance"])
def test_who_validates_or_is_tested_changes_nothing_of_the_training(
    config: Config, data: TrainingData, make_data: MakeData, scope: str
) -> None:
    # Utterances of a speaker are one scope's group, so let other speakers change only
    train = np.flatnonzero(data.speakers < 2)
    others = np.flatnonzero(data.speakers >= 2)
    wanted = config(normalisation__scope=scope, training__selection="last", loss__class_weighting="balanced")
    results = [
        fit(wanted, one, train, others[:6], seed=1, goal=GOAL) for one in (data, _changed(data, make_data, others))
    ]
    first, second = results
    assert [one.train_loss for one in first.history] == [one.train_loss for one in second.history]
    assert [one.validation_loss for one in first.history] != [one.validation_loss for one in second.history]
    torch.testing.assert_close(first.network.state_dict(), second.network.state_dict(), rtol=0, atol=0)
    if scope == "train":
        assert first.scaling is not None
        assert second.scaling is not None
        np.testing.assert_array_equal(first.scaling.shift, second.scaling.shift)
        np.testing.assert_array_equal(first.scaling.spread, second.scaling.spread)
    else:
        assert first.scaling is second.scaling is None


EVERYTHING: dict[str, object] = {
    "model__dropout": 0.3,
    "segments__crop": "random",
    "segments__evaluation_hop_frames": 6,
    "augmentation__mixup": True,
    "augmentation__mixup_per_sample": True,
    "augmentation__mixup_dominant": True,
    "loss__class_weighting": "effective_number",
    "training__sampling": "oversample",
    "training__schedule": "cosine",
    "training__warmup": 0.3,
    "training__selection": "smoothed_validation_score",
    "training__epochs": 2,
}


@pytest.mark.slow
@pytest.mark.parametrize("averaging", ["ema", "swa"])
def test_all_techniques_together_repeat_and_know_nothing_of_those_held_out(
    config: Config, data: TrainingData, make_data: MakeData, averaging: str
) -> None:
    wanted = config(training__averaging=averaging, **EVERYTHING)
    first, second = _fit(wanted, data), _fit(wanted, data)
    assert _timeless(first) == _timeless(second)
    np.testing.assert_array_equal(first.validation, second.validation)
    last = config(**EVERYTHING | {"training__averaging": averaging, "training__selection": "last"})
    one, other = (_fit(last, made) for made in (data, _changed(data, make_data, np.arange(12, 24))))
    assert one.history[-1].validation_loss != other.history[-1].validation_loss
    torch.testing.assert_close(one.network.state_dict(), other.network.state_dict(), rtol=0, atol=0)


def test_the_scaling_is_of_the_training_speakers_frames(config: Config, data: TrainingData) -> None:
    fitted = _fit(config(training__epochs=1), data)
    frames = data.features.frames.numpy()[: data.features.offsets[12]]
    assert fitted.scaling is not None
    np.testing.assert_allclose(fitted.scaling.shift, frames.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(fitted.scaling.spread, frames.std(axis=0), atol=1e-4)


def test_the_best_validation_epoch_is_kept(config: Config, data: TrainingData) -> None:
    restless = {"training__epochs": 6, "training__schedule": "constant", "optimizer__learning_rate": 0.03}
    fitted = _fit(config(training__selection="best_validation_score", **restless), data)
    ranks = [(report.score, -report.validation_loss) for report in fitted.history]
    assert fitted.epoch == 1 + ranks.index(max(ranks))
    kept = fitted.history[fitted.epoch - 1]
    assert -fitted.validation[np.arange(6), data.targets.values[VALIDATION]].mean() == pytest.approx(
        kept.validation_loss
    )
    # And the network is that epoch's
    recipe = recipe_of(config(), data.targets.names, GOAL)
    predictor = Predictor(recipe, [fitted.network], [fitted.scaling])
    scores, reader = predictor.outputs(0, data.features, VALIDATION, data.speakers)
    first = reader.plan.utterance == 0
    np.testing.assert_allclose(
        scores[first].mean(axis=0) - np.logaddexp.reduce(scores[first].mean(axis=0)), fitted.validation[0], atol=1e-4
    )


def _misjudged(data: TrainingData) -> TrainingData:
    """Validation labels are wrong: the more is learnt, the worse validation gets."""
    labels = data.targets.values.copy()
    labels[VALIDATION] = (labels[VALIDATION] + 1) % 3
    return replace(data, targets=classes(labels, data.targets.names))


@pytest.mark.slow
def test_selection_last_keeps_the_last_epoch(config: Config, data: TrainingData) -> None:
    wrong = _misjudged(data)
    last = _fit(config(training__selection="last", **PATIENT), wrong)
    best = _fit(config(training__selection="best_validation_score", **PATIENT), wrong)
    one, other = ([replace(report, kept=0.0) for report in _timeless(fitted)] for fitted in (last, best))
    assert one == other
    assert last.epoch == 30
    assert best.epoch < 30
    for fitted in (last, best):
        loss = -fitted.validation[np.arange(6), wrong.targets.values[VALIDATION]].mean()
        assert loss == pytest.approx(fitted.history[fitted.epoch - 1].validation_loss)


def test_where_nobody_validates_the_last_epoch_is_kept(config: Config, data: TrainingData) -> None:
    fitted = _fit(config(training__patience=1), data, NOBODY)
    assert fitted.epoch == len(fitted.history) == 3
    assert fitted.validation.shape == (0, 3)
    assert all(math.isnan(report.score) for report in fitted.history)
    assert fitted.history[-1].train_loss < fitted.history[0].train_loss


@pytest.mark.slow
@pytest.mark.parametrize(
    "selection", ["best_validation_score", "best_validation_loss", "smoothed_validation_score", "last"]
)
def test_the_score_so_far_is_that_of_the_epoch_to_keep(config: Config, data: TrainingData, selection: str) -> None:
    fitted = _fit(config(training__epochs=5, training__selection=selection, optimizer__learning_rate=0.03), data)
    uars = [report.score for report in fitted.history]
    assert fitted.history[-1].kept == uars[fitted.epoch - 1]
    loss = -fitted.validation[np.arange(6), data.targets.values[VALIDATION]].mean()
    assert loss == pytest.approx(fitted.history[fitted.epoch - 1].validation_loss)
    if selection == "best_validation_score":
        assert [report.kept for report in fitted.history] == [max(uars[: n + 1]) for n in range(5)]
    if selection == "last":
        assert [report.kept for report in fitted.history] == uars
    if selection == "best_validation_loss":
        losses = [report.validation_loss for report in fitted.history]
        assert fitted.epoch == 1 + losses.index(min(losses))


@pytest.mark.parametrize("selection", ["best_validation_score", "last"])
def test_patience_stops_after_epochs_without_improvement(config: Config, data: TrainingData, selection: str) -> None:
    wanted = config(training__patience=2, training__selection=selection, **PATIENT)
    fitted = _fit(wanted, _misjudged(data))
    ranks = [(report.score, -report.validation_loss) for report in fitted.history]
    best = 1 + ranks.index(max(ranks))
    assert len(fitted.history) == best + 2 < 30
    assert fitted.epoch == (best if selection == "best_validation_score" else best + 2)


def test_a_loss_that_is_not_finite_fails_the_training(config: Config, data: TrainingData, make_data: MakeData) -> None:
    frames = data.features.frames.numpy().copy()
    frames[3, 1, 2] = np.nan
    broken = make_data(frames, data.features.offsets, data.targets.values)
    with pytest.raises(
        NonFiniteLossError, match=r"the training loss of epoch 1 is nan; optimizer\.learning_rate 0\.01"
    ):
        _fit(config(), broken)


def test_a_validation_loss_that_is_not_finite_fails_the_training(
    config: Config, data: TrainingData, make_data: MakeData
) -> None:
    frames = data.features.frames.numpy().copy()
    frames[data.features.offsets[12], 1, 2] = np.nan
    broken = make_data(frames, data.features.offsets, data.targets.values)
    with pytest.raises(NonFiniteLossError, match="the validation loss of epoch 1 is nan"):
        _fit(config(), broken)


def test_mixup_and_specaugment_take_part_in_training_only(config: Config, data: TrainingData) -> None:
    plain = _fit(config(training__epochs=1), data)
    for changes in (
        {"augmentation__mixup": True},
        {"augmentation__mixup": True, "augmentation__mixup_per_sample": True},
        {"augmentation__mixup": True, "augmentation__mixup_dominant": True},
        {"augmentation__specaugment": True},
    ):
        augmented = _fit(config(training__epochs=1, **changes), data)
        assert augmented.history[0].train_loss != plain.history[0].train_loss
        assert math.isfinite(augmented.history[0].validation_loss)


def test_random_crops_are_of_training_only_and_differ_between_epochs(
    config: Config, data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: dict[str, list[list[int]]] = {"fixed": [], "random": []}
    original = SegmentReader.gather

    def spy(reader: SegmentReader, which: np.ndarray) -> tuple[torch.Tensor, ...]:
        side = starts[crop] if reader.plan.utterance.max() == 11 else judged
        side.append([int(one) for one in reader.plan.start[np.sort(which)]])
        return original(reader, which)

    monkeypatch.setattr(SegmentReader, "gather", spy)
    for crop in starts:
        judged: list[list[int]] = []
        # A batch is an epoch
        _fit(config(segments__crop=crop, segments__frames=20, training__batch_size=1024), data)
        assert len({tuple(one) for one in judged}) == 1
    assert len({tuple(one) for one in starts["fixed"]}) == 1
    assert len({tuple(one) for one in starts["random"]}) == 3
    assert {len(one) for one in starts["random"]} == {len(one) for one in starts["fixed"]}


def test_random_crops_repeat_with_the_seed_and_learn(config: Config, data: TrainingData) -> None:
    wanted = config(segments__crop="random", training__epochs=2)
    first, second, other = _fit(wanted, data), _fit(wanted, data), _fit(config(training__epochs=2), data)
    assert _timeless(first) == _timeless(second)
    assert _timeless(first) != _timeless(other)
    assert first.history[1].train_loss < first.history[0].train_loss


def test_overlapping_evaluation_segments_change_what_is_judged_but_not_training(
    config: Config, data: TrainingData
) -> None:
    plain, overlapping = (_fit(config(segments__evaluation_hop_frames=hop), data) for hop in (None, 4))
    assert [one.train_loss for one in plain.history] == [one.train_loss for one in overlapping.history]
    assert plain.history[0].validation_loss != overlapping.history[0].validation_loss


@pytest.mark.slow
def test_mixup_learns_too(config: Config, data: TrainingData) -> None:
    fitted = _fit(config(augmentation__mixup=True, **PATIENT), data)
    assert max(report.score for report in fitted.history) == 1.0


def test_bfloat16_gives_about_the_loss_of_float32(config: Config, data: TrainingData) -> None:
    wide, narrow = (
        _fit(config(training__epochs=2, training__precision=precision), data) for precision in ("float32", "bfloat16")
    )
    for exact, rough in zip(wide.history, narrow.history, strict=True):
        assert rough.train_loss == pytest.approx(exact.train_loss, rel=0.1)
        assert rough.train_loss != exact.train_loss
    assert {one.dtype for one in narrow.network.parameters()} == {torch.float32}


def test_class_weights_come_from_the_training_segments(config: Config, data: TrainingData) -> None:
    # Two of three utterances of one class: weighting changes the loss; with equal numbers it does not
    unequal = np.array([0, 3, 6, 9, 1, 2])
    equal = np.arange(6)
    losses = {}
    for name, train in (("unequal", unequal), ("equal", equal)):
        for weighting in ("none", "balanced"):
            wanted = config(training__epochs=1, loss__class_weighting=weighting, segments__frames=48)
            fitted = fit(wanted, data, train, NOBODY, seed=1, goal=GOAL)
            losses[name, weighting] = fitted.history[0].train_loss
    assert losses["equal", "none"] == pytest.approx(losses["equal", "balanced"])
    assert losses["unequal", "none"] != pytest.approx(losses["unequal", "balanced"], rel=1e-3)


def test_the_recipe_is_what_was_trained(config: Config) -> None:
    wanted = config(normalisation__kind="minmax", segments__padding="wrap")
    recipe = recipe_of(wanted, ("a", "b"), GOAL)
    assert recipe.labels == ("a", "b")
    assert (recipe.task, recipe.aggregation) == (GOAL.task, GOAL.aggregation)
    assert (recipe.model, recipe.features, recipe.segments) == (wanted.model, wanted.features, wanted.segments)
    assert recipe.normalisation == NormalisationSettings(kind="minmax")
