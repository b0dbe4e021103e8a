"""Losses, one a file. To add one: a module with a `LOSS`, and its line here."""

from ...components import Catalogue
from .base import Loss, TargetStatistics

__all__ = ["LOSSES", "Loss", "TargetStatistics"]

LOSSES: Catalogue[Loss] = Catalogue(
    kind="loss",
    component=Loss,
    package=__name__,
    modules={
        "cross_entropy": "cross_entropy",
        "focal": "focal",
        "bce": "bce",
        "binary_focal": "binary_focal",
        "ccc": "ccc",
        "huber": "huber",
        "kl": "kl",
        "mse": "mse",
    },
    attribute="LOSS",
    group="ser_tune.losses",
)
