"""Metrics, one a file, computed from sums over utterances. Nothing here draws samples.

To add one: a module with a `METRIC`, and its line here; an installed package adds one by an entry point.
"""

from ..components import Catalogue
from .base import Metric
from .calibration import (
    Coverage,
    Reliability,
    accuracy_by_coverage,
    fit_temperature,
    reliability,
    share_reliability,
    with_temperature,
)
from .confusions import confusions, hits_and_totals
from .moments import Spread, moments, spread_of
from .ranking import Ranking, score_in

__all__ = [
    "DEFAULT_METRIC",
    "METRICS",
    "Coverage",
    "Metric",
    "Ranking",
    "Reliability",
    "Spread",
    "accuracy_by_coverage",
    "confusions",
    "fit_temperature",
    "hits_and_totals",
    "moments",
    "reliability",
    "score_in",
    "share_reliability",
    "spread_of",
    "with_temperature",
]

DEFAULT_METRIC = "uar"
"""The metric that ranks trials, unless a study or its task names another."""
METRICS: Catalogue[Metric] = Catalogue(
    kind="metric",
    component=Metric,
    package=__name__,
    modules={
        "uar": "uar",
        "wa": "wa",
        "ccc": "ccc",
        "jsd": "jsd",
        "kl": "kl",
        "macro_f1": "macro_f1",
        "mae": "mae",
        "map": "map",
        "pcc": "pcc",
        "rmse": "rmse",
        "total_variation": "total_variation",
    },
    attribute="METRIC",
    group="ser_tune.metrics",
)
