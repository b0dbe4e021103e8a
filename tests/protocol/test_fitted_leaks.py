"""Statistics fitted on more than the training speakers stop a study: what a careless `fold_statistics` would do."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ser_tune.config import NormalisationSettings
from ser_tune.errors import LeakError
from ser_tune.features import FeatureStore, Moments, Scaling, normalisation
from ser_tune.folds import Fold
from ser_tune.prediction import UtteranceFeatures
from ser_tune.project import Project
from ser_tune.protocol import Prepared, leaks
from ser_tune.search import StudyObserver, run_study
from ser_tune.tasks import Targets
from ser_tune.training import AnyTrial, TrainingData, fitting, fold_statistics

Study = Callable[..., Prepared]


def _everybody(config: AnyTrial, data: TrainingData, numbers: np.ndarray) -> Scaling:
    return data.features.moments.scaling(numbers, config.normalisation)


def _all_speakers_scale(config: AnyTrial, data: TrainingData, train: np.ndarray) -> Any:
    honest = fold_statistics(config, data, train)
    scaling = _everybody(config, data, np.arange(len(data.targets.values)))
    if honest.train_scaling is not None:
        return replace(honest, train_scaling=scaling, scalings=[scaling])
    return replace(honest, scalings=[scaling] * len(honest.scalings))


def _one_stranger_scales(config: AnyTrial, data: TrainingData, train: np.ndarray) -> Any:
    honest = fold_statistics(config, data, train)
    stranger = int(np.setdiff1d(np.arange(len(data.targets.values)), train)[-1])
    scaling = _everybody(config, data, np.append(train, stranger))
    if honest.train_scaling is not None:
        return replace(honest, train_scaling=scaling, scalings=[scaling])
    return replace(honest, scalings=[scaling] * len(honest.scalings))


def _all_speakers_scale_what_is_stored(config: AnyTrial, data: TrainingData, train: np.ndarray) -> Any:
    honest = fold_statistics(config, data, train)
    return replace(honest, train_scaling=_everybody(config, data, np.arange(len(data.targets.values))))


def _all_utterances_are_counted(config: AnyTrial, data: TrainingData, train: np.ndarray) -> Any:
    return replace(fold_statistics(config, data, train), stratum_counts=np.bincount(data.targets.strata))


def _one_strangers_emotion_is_counted(config: AnyTrial, data: TrainingData, train: np.ndarray) -> Any:
    stranger = np.setdiff1d(np.arange(len(data.targets.values)), train)[:1]
    return replace(
        fold_statistics(config, data, train),
        stratum_counts=np.bincount(
            data.targets.strata[np.append(train, stranger)], minlength=len(data.targets.stratum_names)
        ),
    )


def _all_copies_scale(config: AnyTrial, data: TrainingData, train: np.ndarray) -> Any:
    scaling = data.copies[0].moments.scaling(np.arange(len(data.targets.values)), config.normalisation)
    return replace(fold_statistics(config, data, train), train_scaling=scaling, scalings=[scaling])


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def _careless(statistics: Callable[..., Any]) -> None:
        monkeypatch.setattr(leaks, "fold_statistics", statistics)
        monkeypatch.setattr(fitting, "fold_statistics", statistics)

    return _careless


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scope", "kind", "statistics"),
    [
        ("train", "standard", _all_speakers_scale),
        ("train", "minmax", _all_speakers_scale),
        ("train", "standard", _one_stranger_scales),
        ("train", "minmax", _one_stranger_scales),
        ("train", "standard", _all_speakers_scale_what_is_stored),
        ("speaker", "standard", _all_speakers_scale),
        ("speaker", "minmax", _one_stranger_scales),
        ("utterance", "standard", _all_speakers_scale),
        ("utterance", "minmax", _one_stranger_scales),
    ],
)
def test_normalisation_fitted_on_others_than_training_speakers_stops_the_study(
    study: Study,
    refusal: Callable[[Prepared], str],
    careless: Callable[..., None],
    scope: str,
    kind: str,
    statistics: Callable[..., Any],
) -> None:
    careless(statistics)
    message = refusal(study(**{"normalisation.scope": scope, "normalisation.kind": kind}))
    assert message == "leak in fold 0: the normalisation depends on speakers that are not trained on"


def test_normalisation_fitted_on_copies_of_held_out_speakers_stops_the_study(
    study: Study, refusal: Callable[[Prepared], str], careless: Callable[..., None]
) -> None:
    careless(_all_copies_scale)
    message = refusal(study(**{"perturbation.copies": 1, "perturbation.noise_snr_db": 10}))
    assert message == "leak in fold 0: the normalisation depends on speakers that are not trained on"


@pytest.mark.parametrize("statistics", [_all_utterances_are_counted, _one_strangers_emotion_is_counted])
def test_class_weights_counted_on_others_than_training_speakers_stop_the_study(
    study: Study, refusal: Callable[[Prepared], str], careless: Callable[..., None], statistics: Callable[..., Any]
) -> None:
    # The tiny corpus is balanced: everybody's proportions are those of the training speakers
    careless(statistics)
    message = refusal(study(**{"loss.class_weighting": "balanced"}))
    assert message == "leak in fold 0: the class weights depend on speakers that are not trained on"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scope", "kind"), [("train", "standard"), ("train", "minmax"), ("speaker", "standard"), ("utterance", "minmax")]
)
def test_honest_statistics_pass(study: Study, passes: Callable[[Prepared], None], scope: str, kind: str) -> None:
    prepared = study(**{"normalisation.scope": scope, "normalisation.kind": kind, "protocol.holdout": ("dan",)})
    passes(prepared)


@pytest.mark.slow
def test_what_is_checked_is_what_training_uses(study: Study, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fitting.fold_statistics is leaks.fold_statistics
    trained: list[list[int]] = []

    def spy(config: AnyTrial, data: TrainingData, train: np.ndarray) -> Any:
        trained.append(train.tolist())
        return fold_statistics(config, data, train)

    monkeypatch.setattr(fitting, "fold_statistics", spy)
    prepared = study()
    run_study(prepared, project, StudyObserver())
    assert trained == [fold.train.tolist() for fold in prepared.folds]


def test_a_leak_in_what_trials_share_is_found(
    study: Study, refusal: Callable[[Prepared], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Moments.scaling

    def scaling(moments: Moments, _: np.ndarray, settings: NormalisationSettings, **others: Any) -> Scaling:
        return honest(moments, np.arange(len(moments.count)), settings, **others)

    monkeypatch.setattr(Moments, "scaling", scaling)
    assert refusal(study()) == "leak in fold 0: the normalisation depends on speakers that are not trained on"


@pytest.mark.parametrize("kind", ["standard", "minmax"])
@pytest.mark.parametrize("scope", ["train", "speaker"])
def test_the_check_takes_memory_for_a_block_of_features_and_not_for_all(
    study: Study, kind: str, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = study(**{"normalisation.kind": kind, "normalisation.scope": scope})
    config, count = prepared.definition.trial({"training.device": "cpu"}), 4_000
    monkeypatch.setattr(normalisation, "VALUES", 2**12)
    frames = np.random.default_rng(0).standard_normal((count, 4, 32)).astype(np.float16)
    targets = Targets(("a", "b"), np.arange(count) % 2, np.arange(count) % 2, ("a", "b"))
    features = UtteranceFeatures.of(FeatureStore.of(frames, np.arange(count + 1)), torch.device("cpu"))
    data = TrainingData(features, targets, np.arange(count) // 500)
    numbers = np.split(np.arange(count), 4)
    fold = replace(prepared.folds[0], train=np.concatenate(numbers[:2]), validation=numbers[2], test=numbers[3])
    tracemalloc.start()
    try:
        leaks.refuse_fitted_leaks(config, data, [fold])
        assert tracemalloc.get_traced_memory()[1] < frames.nbytes / 2
    finally:
        tracemalloc.stop()


def test_a_corpus_is_scaled_by_its_training_speakers_where_it_has_any(
    study: Study, careless: Callable[..., None]
) -> None:
    config = study().definition.trial({"training.device": "cpu"})
    config = config.model_copy(update={"normalisation": NormalisationSettings(scope="corpus")})
    frames = np.random.default_rng(0).standard_normal((24, 1, 4)).astype(np.float32)
    targets = Targets(("a", "b"), np.arange(24) % 2, np.arange(24) % 2, ("a", "b"))
    features = UtteranceFeatures.of(FeatureStore.of(frames, np.arange(25)), torch.device("cpu"))
    data = TrainingData(features, targets, np.arange(24) // 4, np.arange(24) // 12)
    held_out, pooled = (Fold(0, (), (), np.array(train), np.array([]), np.array([])) for train in ([0, 1, 4], [0, 13]))
    leaks.refuse_fitted_leaks(config, data, [held_out, pooled])
    careless(lambda config, data, train: fold_statistics(config, data, np.arange(24)))
    with pytest.raises(LeakError, match="leak in fold 0"):
        leaks.refuse_fitted_leaks(config, data, [held_out])

    def by_own(config: AnyTrial, data: TrainingData, train: np.ndarray) -> Any:
        """Scale corpora that have training speakers by all their utterances."""
        honest = fold_statistics(config, data, train)
        return replace(honest, scalings=[_everybody(config, data, np.flatnonzero(data.corpora == n)) for n in (0, 1)])

    careless(by_own)
    with pytest.raises(LeakError, match="the normalisation depends on speakers that are not trained on"):
        leaks.refuse_fitted_leaks(config, data, [pooled])
