"""The one look at the test speakers, and the network for all speakers."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_tune.config import PerturbationSettings
from ser_tune.errors import CorpusError, StudyError
from ser_tune.prediction import Draw, Predictor
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.resampling import score
from ser_tune.search import refit, run_study, score_holdout_speakers, score_test_speakers, score_validation_speakers
from ser_tune.training import job, recipe_of

pytestmark = pytest.mark.slow


def _predictor(recipe: Any, outcomes: Sequence[Any]) -> Predictor:
    """The networks of some folds."""
    fitted = [one.fitted for one in outcomes]
    networks, scalings = [one.network for one in fitted], [one.scaling for one in fitted]
    prototypes = [network.prototypes for network in fitted]
    return Predictor(
        recipe, networks, scalings, prototypes=prototypes, folds=[outcome.fold.key for outcome in outcomes]
    )


@pytest.fixture
def trained(tiny: Callable[..., Any], project: Project, recorder: Any) -> tuple[Any, Predictor, Any]:
    """A study's corpus and folds, the networks of its one trial, and the trial's configuration."""
    prepared = prepare(tiny(**{"study.trials": 1}), project)
    run_study(prepared, project, recorder)
    (outcome,) = recorder.outcomes
    recipe = recipe_of(outcome.config, prepared.corpus.emotions, prepared.definition.goal)
    return (
        prepared,
        _predictor(recipe, outcome.folds),
        outcome.config,
    )


def test_every_utterance_is_tested_once_by_the_network_that_never_saw_its_speaker(
    trained: tuple[Any, Predictor, Any], project: Project
) -> None:
    prepared, predictor, _ = trained
    held_out = score_test_speakers(prepared, predictor, project.cache)
    corpus = prepared.corpus
    assert sorted(held_out.utterances) == [one.id for one in corpus.utterances]
    speaker_of = {one.id: one.speaker for one in corpus.utterances}
    for name, number in zip(held_out.utterances, held_out.fold, strict=True):
        fold = prepared.folds[number]
        assert speaker_of[name] in fold.test_speakers
        assert speaker_of[name] not in fold.validation_speakers
    np.testing.assert_allclose(np.exp(held_out.outputs).sum(axis=1), 1.0, rtol=1e-5)
    predicted = held_out.predicted
    np.testing.assert_array_equal(predicted, held_out.outputs.argmax(axis=1))
    speakers = np.array([corpus.speakers.index(speaker_of[name]) for name in held_out.utterances])
    folds = [held_out.fold == one.number for one in prepared.folds]
    sides = [(held_out.truth[one], predicted[one], speakers[one]) for one in folds]
    assert held_out.scores == score(sides, prepared.definition.metrics, len(prepared.targets.names))


@pytest.mark.parametrize(
    "settings",
    [
        {"normalisation.scope": "speaker"},
        {"normalisation.scope": "speaker", "normalisation.batch_norm": "speaker"},
        {"normalisation.scope": "speaker", "adaptation.kind": "statistics"},
        {"adaptation.kind": "prototypes", "adaptation.heard": 2},
    ],
    ids=str,
)
def test_validation_speakers_are_judged_as_they_were_in_training(
    tiny: Callable[..., Any], project: Project, recorder: Any, settings: dict[str, object]
) -> None:
    prepared = prepare(
        tiny(**{"study.trials": 1, "training.epochs": 1, "model.name": "light_cnn", **settings}), project
    )
    run_study(prepared, project, recorder)
    (outcome,) = recorder.outcomes
    recipe = recipe_of(outcome.config, prepared.corpus.emotions, prepared.definition.goal)
    fitted = [one.fitted for one in outcome.folds]
    predictor = _predictor(recipe, outcome.folds)
    found = score_validation_speakers(prepared, predictor, project.cache)
    assert found.scores == outcome.scores
    np.testing.assert_allclose(found.outputs, np.concatenate([one.validation for one in fitted]), atol=1e-5)
    if not recipe.adapts:
        return
    by_draw = [
        score_test_speakers(prepared, predictor, project.cache, draw=draw).outputs
        for draw in (Draw(0), Draw(1, 0), Draw(1, 1), Draw(100), Draw(None))
    ]
    np.testing.assert_allclose(by_draw[3], by_draw[4], atol=1e-5)  # nobody has so many others
    for first, second in pairwise(by_draw[:4]):
        assert not np.allclose(first, second, atol=1e-5)


def test_networks_of_another_number_of_folds_are_refused(trained: tuple[Any, Predictor, Any], project: Project) -> None:
    prepared, predictor, _ = trained
    fewer = Predictor(predictor.recipe, predictor.networks[:2], predictor.scalings[:2], folds=predictor.folds[:2])
    with pytest.raises(StudyError, match=r"the model holds 2 networks of the folds \S+ \S+; the study has the folds"):
        score_test_speakers(prepared, fewer, project.cache)
    nobody = Predictor(predictor.recipe, predictor.networks, predictor.scalings)
    with pytest.raises(StudyError, match="the model holds 3 networks of the folds unknown"):
        score_test_speakers(prepared, nobody, project.cache)


def test_networks_are_paired_with_folds_by_what_the_folds_hold_out(
    trained: tuple[Any, Predictor, Any], project: Project, tmp_path: Path
) -> None:
    prepared, predictor, _ = trained
    expected = score_test_speakers(prepared, predictor, project.cache)
    # Stored in another order, read again, and the study's folds in another order too
    backwards = Predictor(
        predictor.recipe, predictor.networks[::-1], predictor.scalings[::-1], folds=predictor.folds[::-1]
    )
    backwards.save(tmp_path)
    again = Predictor.load(tmp_path)
    assert again.folds == predictor.folds[::-1]
    assert score_test_speakers(prepared, again, project.cache).scores == expected.scores
    turned = replace(prepared, folds=prepared.folds[::-1])
    found = score_test_speakers(turned, again, project.cache)
    said = dict(zip(found.utterances, found.outputs, strict=True))
    for name, scores in zip(expected.utterances, expected.outputs, strict=True):
        np.testing.assert_allclose(said[name], scores, atol=1e-6)


def test_held_out_speakers_are_judged_by_all_networks_together(
    tiny: Callable[..., Any], project: Project, recorder: Any
) -> None:
    settings = {"study.trials": 1, "training.epochs": 1, "protocol.holdout": ("dan", "ada"), "protocol.folds": "none"}
    with pytest.raises(CorpusError, match="3 speaker-independent folds need at least 3"):
        prepare(tiny(**settings), project)
    prepared = prepare(tiny(**(settings | {"protocol.holdout": ("dan",)})), project)
    run_study(prepared, project, recorder)
    (outcome,) = recorder.outcomes
    recipe = recipe_of(outcome.config, prepared.corpus.emotions, prepared.definition.goal)
    predictor = _predictor(recipe, outcome.folds)
    held_out, single_scores = score_holdout_speakers(prepared, predictor, project.cache)
    utterances = prepared.corpus.utterances
    assert list(held_out.utterances) == [one.id for one in utterances if one.speaker == "dan"]
    assert held_out.fold.tolist() == [0] * 4
    assert [prepared.corpus.emotions[one] for one in held_out.truth] == [
        one.emotion for one in utterances if one.speaker == "dan"
    ]
    singly = [
        score_holdout_speakers(replace(prepared, folds=(one.fold,)), _predictor(recipe, [one]), project.cache)
        for one in outcome.folds
    ]
    together = np.mean([np.exp(one.outputs) for one, _ in singly], axis=0)
    np.testing.assert_allclose(np.exp(held_out.outputs), together, atol=1e-6)
    # What compares with validation is how the networks fare one by one
    assert single_scores.value == pytest.approx(np.mean([one.scores["uar"].value for one, _ in singly]))
    assert single_scores.by_speaker == {"dan": pytest.approx(single_scores.value)}
    # None of them is among those that the folds test
    tested = score_test_speakers(prepared, predictor, project.cache)
    assert not set(tested.utterances) & set(held_out.utterances)


def test_a_refit_is_one_network_that_learnt_from_all_speakers(
    trained: tuple[Any, Predictor, Any], project: Project
) -> None:
    prepared, predictor, config = trained
    whole = refit(prepared, config, 2, project)
    assert len(whole.networks) == 1
    assert whole.labels == predictor.labels
    # Its scaling is that of no fold, for it is everybody's
    scaling = whole.scalings[0]
    assert scaling is not None
    assert all(one is not None and not np.allclose(scaling.shift, one.shift) for one in predictor.scalings)
    again = refit(prepared, config, 2, project)
    for name, tensor in whole.networks[0].state_dict().items():
        np.testing.assert_array_equal(tensor, again.networks[0].state_dict()[name])


def test_a_refit_runs_on_the_device_of_this_machine(trained: tuple[Any, Predictor, Any], project: Project) -> None:
    prepared, _, config = trained
    elsewhere = config.model_copy(update={"training": config.training.model_copy(update={"device": "cuda"})})
    assert len(refit(prepared, elsewhere, 1, project).networks) == 1


def test_a_refit_learns_from_all_speakers_copies_and_predicts_without(
    trained: tuple[Any, Predictor, Any], project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    prepared, _, config = trained
    perturbation = PerturbationSettings(copies=1, noise_snr_db=10, pitch_semitones=2)
    seen: list[tuple[int, int]] = []
    original = job.fit

    def spy(config: Any, data: Any, train: np.ndarray, *others: Any, **named: Any) -> Any:
        seen.append((len(data.copies), len(train)))
        return original(config, data, train, *others, **named)

    monkeypatch.setattr(job, "fit", spy)
    copied = refit(prepared, config.model_copy(update={"perturbation": perturbation}), 1, project)
    plain = refit(prepared, config, 1, project)
    assert seen == [(1, 16), (0, 16)]
    weights = zip(copied.networks[0].state_dict().values(), plain.networks[0].state_dict().values(), strict=True)
    assert any(not np.array_equal(one, other) for one, other in weights)
    # Everything that predicting needs is in the recipe, which knows nothing of copies
    copied.save(tmp_path)
    again = Predictor.load(tmp_path)
    assert again.recipe == plain.recipe
    path = prepared.corpus.utterances[0].path
    assert again.predict([path]) == copied.predict([path])
