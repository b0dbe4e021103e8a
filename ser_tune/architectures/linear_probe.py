"""`linear_probe`: a linear map of utterance-level features, solved instead of trained by descent."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from ..config import Choice, FloatRange, ModelSettings
from ..errors import ConfigError
from .base import BLOCK, Architecture, Examples, InputShape

if TYPE_CHECKING:
    from torch import nn

    from .linear.maps import SymmetricMap
    from .linear.problem import Problem
    from .linear.targets import Supervision
    from .networks.linear_probe import LinearProbe

__all__ = ["ARCHITECTURE", "OBJECTIVES", "LinearProbeSettings"]

OBJECTIVES: Mapping[str, tuple[str, ...]] = {
    "classes": ("ridge", "squared_hinge", "logistic"),
    "distributions": ("logistic", "ridge"),
    "label_scores": ("logistic", "ridge", "squared_hinge"),
    "dimensions": ("ridge", "unscaled_ridge"),
}
"""Choices of `model.objective` for each kind of predictions; the first is the default."""


class LinearProbeSettings(ModelSettings):
    """A linear map with weights from a solver; all emotions have the same total weight."""

    name: Literal["linear_probe"] = "linear_probe"
    """The architecture."""
    layers: Annotated[
        Annotated[int, Field(ge=0, le=200)] | Annotated[str, Field(pattern=r"^(all|weighted|\d{1,2}%|100%)$")],
        Choice(("all", "weighted", "25%", "50%", "75%")),
    ] = "all"
    """Layers of an encoder that are read: all, one after another; weighted, their sum with learned weights (as in
    SUPERB); a layer's number, counted from 0 in features.layers; or its depth, such as 50%."""
    objective: Annotated[
        Literal["ridge", "squared_hinge", "logistic", "unscaled_ridge"], Choice(OBJECTIVES["classes"])
    ] = "ridge"
    """ridge: squared distance to 1 for the own emotions and -1 for others, to shares of votes, or to dimensions, which
    are then scaled for the best CCC of left-out training speakers; unscaled_ridge: dimensions without this scale, for
    mae and rmse; squared_hinge: a linear support vector machine, one emotion against the rest; logistic: multinomial,
    or one emotion against the rest where an utterance has several. Scores of the training recordings are those of the
    best weights to 0.001; where their features take more than 256 MiB, to 0.005."""
    penalty: Annotated[float, Field(gt=0, le=1e6), FloatRange(low=1e-3, high=10.0, log=True)] = 0.1
    """L2 penalty: this times the number of features is scikit-learn's alpha, or 1 / C."""


def chosen_layers(layers: int | str, channels: int) -> list[int]:
    """The channels that `model.layers` names.

    >>> chosen_layers("50%", 7), chosen_layers("all", 2), chosen_layers(3, 7)
    ([3], [0, 1], [3])

    Raises:
        ConfigError: There is no such layer.
    """
    if isinstance(layers, int):
        if layers >= channels:
            raise ConfigError(f"model.layers is {layers}; the features have the layers 0 to {channels - 1}")
        return [layers]
    if depth := re.fullmatch(r"(\d+)%", layers):
        return [round(int(depth[1]) / 100 * (channels - 1))]
    return list(range(channels))


def solve(network: "LinearProbe", settings: LinearProbeSettings, examples: Examples) -> None:
    """Fill in a probe's weights, and the temperature, gains and shifts that left-out training speakers calibrate."""
    import torch

    # Imported here: SciPy's solvers take half a second
    from .linear.calibration import Calibration, calibrated
    from .linear.solvers import groups_of, left_out, solved
    from .linear.targets import supervision
    from .linear.threads import blas_threads

    values, speakers = _in_units_of(network, examples), examples.speakers.cpu().numpy()
    weights_of = None if examples.weights is None else examples.weights.cpu().numpy()
    aims = supervision(examples.kind, values, network.classifier.out_features, settings.objective, weights_of)
    penalty, calibrates = settings.penalty * network.classifier.in_features, settings.objective != "unscaled_ridge"
    scores = None
    if examples.nbytes > BLOCK:
        from .linear.large import fit_large

        with blas_threads(torch.get_num_threads()):
            examples, steady = _steadied(network, examples, penalty)
            groups = groups_of(speakers) if calibrates else None
            weights, scores = fit_large(network, examples, aims, penalty, groups)
    else:
        with blas_threads(1):  # small products wait for threads longer than they take
            problem, steady = _problem(network, examples, aims, penalty)
            full = solved(problem)
            scores = left_out(problem, full, speakers) if calibrates else None
            weights = problem.space.of_features(full.weights)
    if steady is not None:
        weights[:, :-1] = steady(weights[:, :-1])
    found = Calibration() if scores is None else calibrated(examples.kind, scores, values)
    network.temperature.fill_(found.temperature)
    network.classifier.weight.copy_(torch.from_numpy(found.gain * weights[:, :-1].T).T)
    network.classifier.bias.copy_(torch.from_numpy(found.gain * weights[:, -1] + found.shift))


def _problem(
    network: "LinearProbe", examples: Examples, aims: "Supervision", penalty: float
) -> "tuple[Problem, SymmetricMap | None]":
    """The problem of the features that a probe reads, and their map; shares of layers are learned, and filled in."""
    import torch

    from .linear.layers import weighted_layers
    from .linear.maps import Spread, steadying
    from .linear.problem import Problem, space_of

    def features() -> np.ndarray:
        """Features (N, chosen, F), float32."""
        read = [network.features(*inputs) for _, inputs in examples.blocks()]
        result: np.ndarray = (read[0] if len(read) == 1 else torch.cat(read)).cpu().numpy()
        return result

    changes = None if examples.changes is None else examples.changes.cpu().numpy()
    if network.weighted:
        layers = features()
        shares = weighted_layers(layers, aims, penalty)
        network.layer_weights.copy_(torch.from_numpy(shares))
        mixed = _mixed(layers, shares)
        if changes is None:
            return Problem.of(space_of(mixed), aims, penalty), None
        steady = steadying(Spread.of(_mixed(changes, shares)), examples.stability / penalty)
        return Problem.of(space_of(steady(mixed)), aims, penalty), steady
    shared, key = examples.results, (examples.source, tuple(network.channels))
    if changes is None:
        space = shared.get((key, "space"), lambda: space_of(features().reshape(len(examples), -1)))
        return Problem.of(space, aims, penalty, shared=shared, key=key), None
    spread = shared.get((key, "changes"), lambda: Spread.of(changes.reshape(len(changes), -1)))
    steady = steadying(spread, examples.stability / penalty)
    return Problem.of(space_of(steady(features().reshape(len(examples), -1))), aims, penalty), steady


def _mixed(layers: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The weighted sum (N, F), float64, of layers (N, chosen, F)."""
    mixed = np.zeros((len(layers), layers.shape[2]))
    for number, share in enumerate(shares):  # layer by layer, not all in float64 at once
        mixed += share * layers[:, number].astype(np.float64)
    return mixed


def _steadied(network: "LinearProbe", examples: Examples, penalty: float) -> "tuple[Examples, SymmetricMap | None]":
    """The same examples, mapped when they are read, and their map.

    Raises:
        ConfigError: The layers' sum is learned, of which the map depends.
    """
    if examples.changes is None:
        return examples, None
    from .linear.mapped import MappedRows
    from .linear.maps import Spread, steadying

    if network.weighted:
        raise ConfigError(
            f"perturbation.stability is {examples.stability:g} with model.layers weighted, of features of more than "
            f"{BLOCK // 2**20} MiB; expected other layers, or stability 0"
        )
    changes = examples.changes.cpu().numpy()
    steady = steadying(Spread.of(changes.reshape(len(changes), -1)), examples.stability / penalty)
    rows = MappedRows(examples.rows, [steady], np.zeros(len(examples), dtype=np.int64))
    return replace(examples, rows=rows, source=""), steady


def _in_units_of(network: "LinearProbe", examples: Examples) -> np.ndarray:
    """The task's values, shape (N, ...); ratings in the units of a network with an output scale."""
    from .networks import scale_of

    values: np.ndarray = examples.labels.cpu().numpy()
    scale = scale_of(network)
    if scale is None or not examples.labels.is_floating_point():
        return values
    shift, spread = (part.cpu().numpy() for part in scale)
    standardised: np.ndarray = (values - shift) / spread
    return standardised


def build(settings: LinearProbeSettings, shape: InputShape, n_classes: int) -> "nn.Module":
    """Make the network for segments of a shape."""
    from .networks.linear_probe import LinearProbe

    return LinearProbe(settings, shape, n_classes)


ARCHITECTURE = Architecture(
    name="linear_probe",
    settings=LinearProbeSettings,
    build=build,
    solve=solve,
    solves=tuple(OBJECTIVES),
    channels=lambda settings, channels: chosen_layers(settings.layers, channels),
    means=True,
    aligns=True,
    restricted={kind: {"model.objective": Choice(names)} for kind, names in OBJECTIVES.items()},
    solver="ridge by eigenvectors; squared hinge and logistic by Newton's method, scores exact to 0.001, left out too; "
    "of more than 256 MiB all by conjugate gradients, exact to 0.005, left out to 0.02",
    citation="linear probes of frozen layers: G. Alain, Y. Bengio: Understanding intermediate layers using linear "
    "classifier probes, arXiv 1610.01644, 2016; weighted layers: S. Yang et al.: SUPERB, arXiv 2105.01051, 2021; "
    "ridge: A. E. Hoerl, R. W. Kennard, Technometrics 12(1), 1970; temperature: C. Guo et al., arXiv 1706.04599, 2017",
    shortest_frames=1,
    # A fold takes a tenth of a second: pruning would save little, and judge by a few speakers
    defaults={"features.name": "encoder", "segments.frames": None, "study.pruner": "none"},
    search={"segments.frames": None},
)
