"""The linear probe: the layers that it reads, the mean over frames, and probabilities that do not change its mind."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ser_tune.architectures import ARCHITECTURES, Examples, Inputs, InputShape
from ser_tune.architectures.base import Held
from ser_tune.architectures.linear.problem import Problem, space_of
from ser_tune.architectures.linear.solvers import solved
from ser_tune.architectures.linear.targets import supervision
from ser_tune.architectures.linear_probe import OBJECTIVES, chosen_layers, solve
from ser_tune.architectures.networks import scale_outputs, set_scale
from ser_tune.architectures.networks.linear_probe import LinearProbe
from ser_tune.errors import ConfigError
from ser_tune.tasks import TASKS

PROBE = ARCHITECTURES.get("linear_probe")
SHAPE, N_CLASSES = InputShape(channels=5, bands=6, frames=1), 3


def _probe(**settings: Any) -> tuple[LinearProbe, Any]:
    written = PROBE.settings.model_validate(settings)
    return LinearProbe(written, SHAPE, N_CLASSES), written


def _examples(informative: int = 3, frames: int = 1) -> Examples:
    """Of four speakers; one layer tells classes apart."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % N_CLASSES
    segments = torch.randn(60, 5, 6, frames, generator=generator)
    segments[:, informative, :3] += 2 * torch.nn.functional.one_hot(labels)[:, :, None]
    return Examples.of((segments,), labels, torch.arange(60) // 15)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("all", [0, 1, 2, 3, 4, 5, 6]),
        ("weighted", [0, 1, 2, 3, 4, 5, 6]),
        (0, [0]),
        (6, [6]),
        ("0%", [0]),
        ("50%", [3]),
        ("75%", [4]),
        ("100%", [6]),
    ],
)
def test_layers_have_numbers_and_depths(layers: int | str, expected: list[int]) -> None:
    assert chosen_layers(layers, 7) == expected


def test_a_layer_beyond_the_last_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.layers is 7; the features have the layers 0 to 6$"):
        chosen_layers(7, 7)


@pytest.mark.parametrize("layers", ["101%", "half", "-1", -1, "", 201])
def test_a_layer_of_another_form_is_refused(layers: object) -> None:
    with pytest.raises(ValueError, match="layers"):
        PROBE.settings.model_validate({"layers": layers})


@pytest.mark.parametrize("layers", [2, "50%"])
def test_a_single_layer_alone_is_read(layers: int | str) -> None:
    probe, _ = _probe(layers=layers)
    segments = torch.randn(2, 5, 6, 1)
    others = segments + torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0])[:, None, None]
    torch.testing.assert_close(probe(others), probe(segments), rtol=0, atol=0)
    expected = segments[:, 2, :, 0] @ probe.classifier.weight.T + probe.classifier.bias
    torch.testing.assert_close(probe(segments), expected)


def test_all_layers_are_read_one_after_another() -> None:
    probe, _ = _probe(layers="all")
    segments = torch.randn(2, 5, 6, 1)
    torch.testing.assert_close(
        probe(segments), segments.reshape(2, 30) @ probe.classifier.weight.T + probe.classifier.bias
    )


def test_frames_are_averaged() -> None:
    probe, _ = _probe(layers="all")
    segments = torch.randn(2, 5, 6, 4)
    torch.testing.assert_close(probe(segments), probe(segments.mean(dim=3, keepdim=True)))
    lengths = torch.tensor([4, 2])
    torch.testing.assert_close(probe(segments, lengths)[1], probe(segments[1:, :, :, :2])[0])


def test_weighted_layers_are_summed_by_what_was_learned() -> None:
    probe, settings = _probe(layers="weighted")
    assert probe.classifier.in_features == 6
    torch.testing.assert_close(probe.layer_weights, torch.full((5,), 0.2))
    with torch.no_grad():
        solve(probe, settings, _examples(informative=3))
    assert probe.layer_weights.argmax() == 3
    assert probe.layer_weights.sum() == pytest.approx(1.0)
    segments = torch.randn(2, 5, 6, 1)
    mixed = torch.einsum("bcft,c->bf", segments, probe.layer_weights)
    expected = (mixed @ probe.classifier.weight.T + probe.classifier.bias) / probe.temperature
    torch.testing.assert_close(probe(segments), expected)


@pytest.mark.parametrize("objective", ["ridge", "squared_hinge", "logistic"])
@pytest.mark.parametrize("layers", ["all", 3])
def test_a_solved_probe_is_the_solvers_and_its_temperature_never_changes_the_answer(
    layers: int | str, objective: str
) -> None:
    probe, settings = _probe(layers=layers, objective=objective, penalty=0.5)
    examples = _examples(frames=2)
    with torch.no_grad():
        solve(probe, settings, examples)
        logits = probe(*examples.inputs)
    features = examples.inputs[0][:, probe.channels].mean(dim=3).flatten(1).double().numpy()
    # Half a unit of penalty for each feature
    aims = supervision("classes", examples.labels.numpy(), N_CLASSES, objective)
    problem = Problem.of(space_of(features), aims, 0.5 * features.shape[1])
    weights = problem.space.of_features(solved(problem).weights)
    scores = features @ weights[:, :-1].T + weights[:, -1]
    assert probe.temperature > 0
    assert probe.temperature != 1
    np.testing.assert_allclose(logits * probe.temperature, scores, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(logits.argmax(dim=1), scores.argmax(axis=1))


def test_calibrated_probabilities_fit_speakers_who_were_left_out_better() -> None:
    surprises = []
    generator = torch.Generator().manual_seed(7)
    unseen = torch.randn(300, 5, 6, 1, generator=generator)
    labels = torch.arange(300) % N_CLASSES
    unseen[:, 3, :3] += 2 * torch.nn.functional.one_hot(labels)[:, :, None]
    probe, settings = _probe(layers=3)
    with torch.no_grad():
        solve(probe, settings, _examples())
        for temperature in (probe.temperature.clone(), torch.ones(())):
            probe.temperature.copy_(temperature)
            surprises.append(float(torch.nn.functional.cross_entropy(probe(unseen), labels)))
    assert surprises[0] < surprises[1]


LEARNED = [(kind, objective) for kind, objectives in OBJECTIVES.items() for objective in objectives]


def _values(kind: str, labels: torch.Tensor) -> torch.Tensor:
    """Values that go with classes; dimensions are in units and around a middle of their own."""
    own = torch.nn.functional.one_hot(labels, N_CLASSES)
    noise = torch.rand(own.shape, generator=torch.Generator().manual_seed(1))
    if kind == "distributions":
        return ((own + noise) / (own + noise).sum(dim=1, keepdim=True)).double()
    if kind == "label_scores":
        return own.bool() | (noise < 0.1)
    return (own + noise).double() * torch.tensor([1.0, 10.0, 0.1]) + 3 if kind == "dimensions" else labels


def _learned(kind: str, *, values: torch.Tensor | None = None, **settings: Any) -> torch.Tensor:
    """Outputs, as the task activates them, for the examples that a probe was solved for."""
    probe, written = _probe(**settings)
    examples = _examples()
    examples = replace(examples, labels=_values(kind, examples.labels) if values is None else values, kind=kind)
    (task,) = (task for name in TASKS.names() if (task := TASKS.get(name)).predictions == kind)
    if task.output_scale is not None:
        scale_outputs(probe, N_CLASSES)
        set_scale(probe, *task.output_scale(examples.labels.numpy()))
    with torch.no_grad():
        solve(probe, written, examples)
        return task.activate(probe.eval()(*examples.inputs))


@pytest.mark.parametrize(("kind", "objective"), LEARNED)
@pytest.mark.parametrize("layers", ["all", "weighted"])
def test_what_is_learned_is_better_than_a_constant(kind: str, objective: str, layers: str) -> None:
    labels = _examples().labels
    values, outputs = _values(kind, labels), _learned(kind, objective=objective, layers=layers)
    if kind == "dimensions":
        missed = (outputs - values).square().mean(dim=0)
        assert (missed < 0.7 * values.var(dim=0, correction=0)).all()
    elif kind == "label_scores":
        assert ((outputs > 0) == values).float().mean() > 0.85
    else:
        shares = values if kind == "distributions" else torch.nn.functional.one_hot(values, N_CLASSES).double()
        constant = -(shares.mean(dim=0).log() * shares).sum(dim=1).mean()
        assert -(outputs * shares).sum(dim=1).mean() < 0.99 * constant


def test_dimensions_in_other_units_are_the_same_in_these_units() -> None:
    values = _values("dimensions", _examples().labels)
    other = torch.tensor([7.0, 0.01, 300.0]), torch.tensor([100.0, -2.0, 0.0])
    torch.testing.assert_close(
        _learned("dimensions", values=values * other[0] + other[1]),
        (_learned("dimensions", values=values) * other[0] + other[1]).float(),
        rtol=1e-4,
        atol=1e-4,
    )


def test_scaled_ratings_vary_as_far_as_the_truth_and_keep_their_order() -> None:
    values = _values("dimensions", _examples().labels)
    scaled, shrunk = (
        _learned("dimensions", objective=objective, penalty=20.0) for objective in ("ridge", "unscaled_ridge")
    )
    assert (shrunk.std(dim=0) < 0.6 * values.std(dim=0)).all()
    assert (scaled.std(dim=0) > 0.8 * values.std(dim=0)).all()
    for scaled_ratings, shrunk_ratings in zip(scaled.T, shrunk.T, strict=True):
        torch.testing.assert_close(scaled_ratings.argsort(), shrunk_ratings.argsort())


def test_a_dimension_that_never_varies_is_its_value() -> None:
    values = _values("dimensions", _examples().labels)
    values[:, 1] = 4.5
    outputs = _learned("dimensions", values=values)
    torch.testing.assert_close(outputs[:, 1], torch.full((60,), 4.5))
    assert torch.isfinite(outputs).all()


class _Cut(Held):
    """Inputs that come in blocks of few rows, whatever size is asked for."""

    def blocks(self, nbytes: int) -> Iterator[tuple[slice, Inputs]]:
        """Blocks of at most a seventh of the rows."""
        return super().blocks(min(nbytes, self.nbytes // 7))


@pytest.mark.parametrize("layers", ["all", "weighted", 2])
@pytest.mark.parametrize("frames", [1, 4])
def test_a_probe_is_the_same_from_blocks_and_from_its_channels_alone(layers: str | int, frames: int) -> None:
    examples, probes = _examples(frames=frames), []
    (segments,) = examples.inputs
    for held, channels in ((Held, slice(None)), (_Cut, slice(None)), (_Cut, _probe(layers=layers)[0].channels)):
        probe, settings = _probe(layers=layers)
        with torch.no_grad():
            solve(probe, settings, replace(examples, rows=held((segments[:, channels],))))
            assert torch.equal(probe(segments), probe(segments[:, probe.channels]))
        probes.append(probe.state_dict())
    for name, expected in probes[0].items():
        torch.testing.assert_close(probes[1][name], expected, rtol=1e-5, atol=1e-7)
        torch.testing.assert_close(probes[2][name], expected, rtol=1e-5, atol=1e-7)
