"""The linear probe: the layers that it reads, the mean over frames, and probabilities that do not change its mind."""

from typing import Any

import numpy as np
import pytest
import torch

from ser_tune.architectures import ARCHITECTURES, Examples, InputShape
from ser_tune.architectures.linear_probe import LinearProbe, chosen_layers, solve
from ser_tune.architectures.linear_solvers import Problem, solved
from ser_tune.architectures.linear_targets import supervision
from ser_tune.errors import ConfigError

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
    return Examples((segments,), labels, torch.arange(60) // 15)


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
    problem = Problem.of(features, aims, 0.5 * features.shape[1])
    weights, bias = solved(problem)
    scores = features @ weights.T + bias
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
