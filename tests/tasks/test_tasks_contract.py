"""Checks that every task makes of its targets what training, storage and readers rely on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ser_tune.corpora import Annotation, Utterance
from ser_tune.errors import CorpusError
from ser_tune.tasks import TASKS, Targets, Task

EMOTIONS = ("anger", "joy", "neutral")
NAMES = TASKS.names()


def annotated(number: int) -> Utterance:
    """An utterance with labels of every kind."""
    chosen = EMOTIONS[number % 3]
    votes = {chosen: 2} | {EMOTIONS[(number + 1) % 3]: 1}
    return Utterance(
        id=f"u{number}",
        path=Path(f"u{number}.wav"),
        speaker=f"s{number % 4}",
        emotion=chosen,
        annotation=Annotation(
            votes=tuple(sorted(votes.items())),
            secondary=(("surprise", 1),) if number % 2 else (),
            dimensions=(("arousal", 1.0 + number % 5), ("valence", 4.5 - number / 3)),
            annotators=3,
        ),
    )


def made(name: str) -> tuple[Task, Targets]:
    """A task, and its targets of twelve utterances."""
    task = TASKS.get(name)
    return task, task.targets(task.settings(name=name), [annotated(number) for number in range(12)])


def raw_of(targets: Targets, seed: int = 0) -> Tensor:
    """Raw outputs of random numbers, shape (U, K), float32."""
    return torch.randn(len(targets.values), len(targets.names), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", NAMES)
def test_encoded_targets_are_a_number_for_every_output(name: str) -> None:
    task, targets = made(name)
    encoded = task.encode(torch.from_numpy(targets.values), len(targets.names))
    assert encoded.shape == (12, len(targets.names))
    assert encoded.dtype == torch.float32
    assert targets.strata.shape == (12,)
    assert targets.strata.max() < len(targets.stratum_names)


@pytest.mark.parametrize("name", NAMES)
def test_every_way_of_aggregation_keeps_a_single_segment_and_agrees_with_the_graph(name: str) -> None:
    task, targets = made(name)
    outputs = task.activate(raw_of(targets))
    utterance = np.repeat(np.arange(4), 3)
    assert task.traceable is not None
    for how in task.aggregations:
        alone = task.aggregate(outputs.numpy(), np.arange(12), how)
        np.testing.assert_allclose(task.show(alone), task.show(outputs.numpy()), atol=1e-6)
        together = task.show(task.aggregate(outputs.numpy(), utterance, how))
        assert together.shape == (4, len(targets.names))
        for number in range(4):
            traced = task.traceable.show(outputs[utterance == number], how)
            np.testing.assert_allclose(together[number], traced.numpy(), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_an_average_of_networks_is_that_of_what_is_shown(name: str) -> None:
    task, targets = made(name)
    raw = torch.stack([raw_of(targets, seed) for seed in range(3)])
    outputs = [task.activate(network).numpy().astype(np.float64) for network in raw]
    mean = np.mean([task.show(found) for found in outputs], axis=0)
    np.testing.assert_allclose(task.show(task.average(outputs)), mean, atol=1e-6)
    np.testing.assert_allclose(task.show(task.activate(task.members(raw)).numpy()), mean, atol=1e-6)
    np.testing.assert_allclose(task.show(task.unshow(mean)), mean, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_text_of_a_truth_is_read_back_exactly(name: str) -> None:
    task, targets = made(name)
    texts = [task.write(value, targets.names) for value in targets.values]
    np.testing.assert_array_equal(task.read(texts, targets.names), targets.values)


@pytest.mark.parametrize("name", NAMES)
def test_predictions_fit_every_metric_of_the_task(name: str) -> None:
    task, targets = made(name)
    predicted = task.decide(task.activate(raw_of(targets)).numpy())
    for metric in map(task.metric, task.metrics):
        assert np.isfinite(metric.score(targets.values, predicted, len(targets.names)))
        # Equal where it is asked for again: results are compared by their metrics
        assert task.metric(metric.name) == metric


@pytest.mark.parametrize("name", NAMES)
def test_the_error_is_least_near_the_truth_and_copies_diverge_from_nothing_by_nothing(name: str) -> None:
    task, targets = made(name)
    encoded = task.encode(torch.from_numpy(targets.values), len(targets.names))
    nearest = {"values": encoded, "probabilities": torch.log(encoded + 0.01), "labels": 20 * (encoded - 0.5)}
    near = nearest[task.encoding]
    error = task.error(task.activate(near).numpy(), targets.values)
    assert error < task.error(task.activate(raw_of(targets)).numpy(), targets.values)
    clean = raw_of(targets).requires_grad_()
    assert float(task.divergence(clean, clean).detach()) == pytest.approx(0, abs=1e-6)
    divergence = task.divergence(clean, raw_of(targets, 1))
    assert divergence > 0
    (gradient,) = torch.autograd.grad(divergence, clean)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", NAMES)
def test_people_read_an_answer_for_every_prediction(name: str) -> None:
    task, targets = made(name)
    shown = task.show(task.activate(raw_of(targets)).numpy())
    labels = task.labels(shown, targets.names)
    assert len(labels) == 12
    assert all(label and "\n" not in label for label in labels)


def test_votes_become_shares_with_smoothing_and_lighter_secondary_emotions() -> None:
    task = TASKS.get("distribution")
    utterances = [annotated(0), annotated(1)]
    plain = task.targets(task.settings(name="distribution"), utterances)
    assert plain.names == EMOTIONS
    np.testing.assert_allclose(plain.values[0], [2 / 3, 1 / 3, 0])
    settings = task.settings.model_validate({"name": "distribution", "smoothing": 0.5, "secondary": 0.5})
    rich = task.targets(settings, utterances)
    assert rich.names == (*EMOTIONS, "surprise")
    np.testing.assert_allclose(rich.values[1], np.array([0.5, 2.5, 1.5, 1.0]) / 5.5)


def test_several_emotions_are_those_of_enough_annotators() -> None:
    task = TASKS.get("multilabel")
    utterances = [annotated(0), annotated(1)]
    few = task.targets(task.settings.model_validate({"name": "multilabel", "share": 0.5}), utterances)
    assert few.names == ("anger", "joy")
    every = task.targets(task.settings(name="multilabel"), utterances)
    assert [task.write(value, every.names) for value in every.values] == [
        '["anger", "joy"]',
        '["joy", "neutral", "surprise"]',
    ]


def test_a_dimension_that_an_utterance_lacks_is_named() -> None:
    task = TASKS.get("dimensions")
    settings = task.settings.model_validate({"name": "dimensions", "names": ["dominance"]})
    rated = replace(annotated(1), annotation=Annotation(dimensions=(("dominance", 1.0),)))
    with pytest.raises(CorpusError, match=r"utterance 'u0' has no rating of dominance, but arousal, valence"):
        task.targets(settings, [annotated(0), rated])


def test_a_dimension_that_no_utterance_has_is_a_misspelt_name() -> None:
    task = TASKS.get("dimensions")
    settings = task.settings.model_validate({"name": "dimensions", "names": ["arousl"]})
    with pytest.raises(CorpusError, match=r"task.names has 'arousl'.*choose from arousal, valence; did you mean 'arou"):
        task.targets(settings, [annotated(0)])


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({"names": ["arousal", "valence", "arousal"]}, "task.names has arousal twice"),
        ({"scale": [5, 1]}, "task.scale is 5 to 1; expected the lowest rating, then the highest"),
    ],
)
def test_dimensions_are_named_once_and_their_scale_begins_with_the_lowest(
    settings: dict[str, object], refused: str
) -> None:
    with pytest.raises(ValueError, match=refused):
        TASKS.get("dimensions").settings.model_validate({"name": "dimensions", **settings})


def test_thresholds_are_the_nearest_to_0_with_nearly_the_best_f1() -> None:
    task, rng = TASKS.get("multilabel"), np.random.default_rng(0)
    truth = rng.random((400, 3)) < [0.2, 0.5, 0.9]
    outputs = np.round(truth * 2.0 + [-3.0, -1.0, 2.0] + rng.normal(size=(400, 3)), 1)
    assert task.thresholds is not None
    chosen = task.thresholds(outputs, truth)

    def f1(column: int, threshold: float) -> float:
        named = outputs[:, column] >= threshold
        return float(2 * (named & truth[:, column]).sum() / (named.sum() + truth[:, column].sum()))

    for column in range(3):
        best = max(f1(column, value) for value in outputs[:, column])
        allowed = best - np.sqrt(best * (1 - best) / truth[:, column].sum())
        assert f1(column, chosen[column]) >= allowed
        nearer = [value for value in outputs[:, column] if abs(value) < abs(chosen[column]) - 0.1]
        assert all(f1(column, value) < allowed for value in nearer)
    assert f1(0, chosen[0]) > f1(0, 0.0)  # where 0 is far from the best
    assert not task.thresholds(outputs, np.zeros((400, 3), dtype=bool)).any()
