"""A probe of more examples than memory holds is that of all features at once, and reads blocks."""

import errno
import os
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ser_tune.architectures import ARCHITECTURES, Examples, InputShape, linear_probe
from ser_tune.architectures.base import Held
from ser_tune.architectures.linear import compact
from ser_tune.architectures.linear import large as large_module
from ser_tune.architectures.linear.compact import Compact
from ser_tune.architectures.linear.streaming import Stream
from ser_tune.architectures.linear_probe import OBJECTIVES, solve
from ser_tune.architectures.networks.linear_probe import LinearProbe
from ser_tune.architectures.shared import Shared
from ser_tune.errors import StorageError

N, CLASSES = 120, 3
WIDE, NARROW = InputShape(channels=4, bands=50, frames=1), InputShape(channels=4, bands=15, frames=1)


def _examples(shape: InputShape, kind: str = "classes") -> Examples:
    """Of twelve speakers; features depend on one another, and on classes."""
    rng, labels = np.random.default_rng(1), np.arange(N) % CLASSES
    factors = rng.standard_normal((N, 6)) @ rng.standard_normal((6, shape.channels * shape.bands))
    signal = 0.3 * rng.standard_normal((CLASSES, shape.channels * shape.bands))
    features = rng.standard_normal(factors.shape) + factors + signal[labels]
    segments = torch.from_numpy(features.astype(np.float32)).reshape(N, shape.channels, shape.bands, 1)
    own, values = torch.from_numpy(labels), torch.nn.functional.one_hot(torch.from_numpy(labels)).float()
    if kind == "distributions":
        values = 0.7 * values + 0.1
    elif kind == "dimensions":
        values = values + 0.1 * torch.from_numpy(rng.standard_normal(values.shape)).float()
    return Examples.of((segments,), own if kind == "classes" else values, torch.arange(N) // 10, kind)


def _solved(examples: Examples, shape: InputShape, **written: Any) -> LinearProbe:
    settings = ARCHITECTURES.get("linear_probe").settings.model_validate(written)
    probe = LinearProbe(settings, shape, CLASSES)
    with torch.no_grad():
        solve(probe, settings, examples.channels(probe.channels))
    return probe


@pytest.fixture(params=["blocks", "compact"])
def large(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Makes any examples too many for memory."""
    monkeypatch.setattr(linear_probe, "BLOCK", 0)
    monkeypatch.setattr(large_module, "READ", 50_000)
    monkeypatch.setattr(compact, "ROWS", 70)
    monkeypatch.setattr(large_module, "MOST", 0 if request.param == "blocks" else 10_000)
    return str(request.param)


CASES = [(kind, objective) for kind, objectives in OBJECTIVES.items() for objective in objectives]


@pytest.mark.parametrize(("kind", "objective"), CASES)
@pytest.mark.parametrize(("shape", "penalty"), [(WIDE, 0.03), (NARROW, 1.0)], ids=["wide", "narrow"])
def test_a_probe_of_blocks_is_that_of_all_features_at_once(
    kind: str, objective: str, penalty: float, shape: InputShape, large: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = _examples(shape, kind)
    found = _solved(examples, shape, objective=objective, penalty=penalty)
    monkeypatch.undo()
    expected = _solved(examples, shape, objective=objective, penalty=penalty)
    # Scores before calibration; gains and temperatures are those of left-out speakers, which are less exact
    scores, wanted = (probe(*examples.inputs) * probe.temperature for probe in (found, expected))
    exact = 2e-4 if objective.endswith("ridge") else 4e-3
    limit = exact * wanted.abs().max() if kind != "dimensions" and kind != "distributions" else 0.01 * wanted.std()
    assert (scores - wanted).abs().max() < limit, ((scores - wanted).abs().max(), wanted.abs().max())
    assert found.temperature == pytest.approx(float(expected.temperature), rel=0.02)


@pytest.mark.parametrize("way", ["at once", "blocks", "compact"])
@pytest.mark.parametrize(("kind", "objective"), CASES)
@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("equal", ["features", "labels"])
def test_few_equal_examples_of_a_single_speaker_are_solved(
    equal: str, count: int, kind: str, objective: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way != "at once":
        monkeypatch.setattr(linear_probe, "BLOCK", 0)
        monkeypatch.setattr(large_module, "MOST", 0 if way == "blocks" else 10_000)
    many = _examples(NARROW, kind)
    segments, labels = many.inputs[0][:count].clone(), many.labels[:count].clone()
    (segments if equal == "features" else labels)[:] = (segments if equal == "features" else labels)[0].clone()
    examples = Examples.of((segments,), labels, torch.zeros(count, dtype=torch.int64), kind)
    probe = _solved(examples, NARROW, objective=objective, penalty=0.001)
    assert torch.isfinite(probe(*examples.inputs)).all()


@pytest.mark.parametrize("layers", ["weighted", 2])
def test_layers_are_mixed_and_chosen_in_blocks_too(
    layers: str | int, large: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = _examples(WIDE)
    found = _solved(examples, WIDE, layers=layers)
    monkeypatch.undo()
    expected = _solved(examples, WIDE, layers=layers)
    torch.testing.assert_close(found.layer_weights, expected.layer_weights, rtol=0.02, atol=1e-3)
    torch.testing.assert_close(found(*examples.inputs), expected(*examples.inputs), rtol=0.02, atol=0.02)


class _Counted(Held):
    """Counts how often all rows are read, and the largest block."""

    def blocks(self, nbytes: int) -> Any:
        """As `Held`, counted."""
        for rows, inputs in super().blocks(nbytes):
            READ["rows"] += rows.stop - rows.start
            READ["bytes"] = max(READ["bytes"], inputs[0].nbytes)
            yield rows, inputs

    def channels(self, which: Any) -> "_Counted":
        """As `Held`, counted."""
        return _Counted(super().channels(which).inputs)


READ = {"rows": 0, "bytes": 0}


def test_few_readings_of_small_blocks_solve_a_probe_and_trials_share_them(large: str) -> None:
    examples = _examples(WIDE)
    READ.update(rows=0, bytes=0)
    counted = replace(examples, rows=_Counted(examples.inputs), source="a fold", shared=Shared(2**20))
    readings = []
    for objective, penalty in (("ridge", 0.1), ("ridge", 1.0), ("logistic", 1.0)):
        _solved(counted, WIDE, objective=objective, penalty=penalty)
        readings.append(READ["rows"] / N)
        READ["rows"] = 0
    assert READ["bytes"] <= 50_000
    if large == "compact":  # each layer once, then only the sum of the examples
        assert readings == [4 + 1, 1, 1]
    else:
        assert max(readings) < 60
        assert readings[1] < readings[0]


def test_coordinates_have_the_products_of_features_though_examples_are_equal() -> None:
    features = torch.randn(50, 300, generator=torch.Generator().manual_seed(0)).numpy()
    features[25:] = features[:25]
    compact = Compact.of(iter([features[:, :120], features[:, 120:]]), 50)
    np.testing.assert_allclose(compact.lower @ compact.lower.T, features @ features.T, atol=0.05)
    np.testing.assert_array_equal(compact.narrow, compact.lower.astype(np.float32))
    rows = [(each, part.shape) for each, part in compact.stream.blocks()]
    assert rows == [(slice(0, 50), (50, 50))]


@pytest.mark.parametrize("equal", [0.0, 3.0])
def test_coordinates_of_equal_examples_are_found_and_of_unusable_ones_refused(equal: float) -> None:
    features = np.full((20, 30), equal, dtype=np.float32)
    lower = Compact.of(iter([features]), 20).lower
    np.testing.assert_allclose(lower @ lower.T, features @ features.T, atol=1e-3)
    features[3, 4] = np.nan
    with pytest.raises(np.linalg.LinAlgError, match="not finite"):
        Compact.of(iter([features]), 20)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system reserves no room on the disk")
def test_a_matrix_for_which_the_disk_has_no_room_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StorageError, match=r"a matrix of 20 examples takes 0\.0 GB.*No space left.*set TMPDIR"):
        Compact.of(iter([np.ones((20, 30), dtype=np.float32)]), 20)


def test_sums_over_blocks_are_float64() -> None:
    count = 400
    features = torch.full((count, 2), 1.0)
    features[0] = 2.0**24
    stream = Stream(lambda: ((slice(row, row + 1), features[row : row + 1]) for row in range(count)), count, 2)
    sums = stream.pulled(1, lambda rows, block: torch.ones(len(block), 1, dtype=torch.float64))
    assert sums[0, 0] == pytest.approx(2.0**24 + count - 1, abs=16)
    assert sums[0, -1] == count
