"""Evidence of a speaker as arrays, which are kept between calls and given to a model's own copy of this package."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..features import Weighed
from .speaker_adaptation import Evidence

__all__ = ["arrays_of", "evidence_of"]


def arrays_of(evidence: Sequence[Evidence]) -> dict[str, np.ndarray]:
    """The evidence of a model's networks, float32: what they have in common once, and the rest network by network."""
    statistics = evidence[0].statistics
    found = {
        "utterances": np.array([statistics.utterances]),
        "mean": statistics.mean,
        "variance": statistics.variance,
    }
    for name in ("residual", "counts"):
        parts = [getattr(each, name) for each in evidence]
        if all(part is not None for part in parts):
            found[name] = np.stack(parts)
    return {name: array.astype(np.float32) for name, array in found.items()}


def evidence_of(arrays: Mapping[str, np.ndarray], networks: int) -> list[Evidence]:
    """Undo `arrays_of`, for so many networks."""
    exact = {name: array.astype(np.float64) for name, array in arrays.items()}
    statistics = Weighed(exact["mean"], exact["variance"], float(exact["utterances"][0]))
    rest = {name: exact[name] for name in ("residual", "counts") if name in exact}
    return [Evidence(statistics, **{name: part[number] for name, part in rest.items()}) for number in range(networks)]
