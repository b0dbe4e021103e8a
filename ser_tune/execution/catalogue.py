"""The catalogue of executors. To add an executor: a module with an `EXECUTOR`, and its line here."""

from ..components import Catalogue
from .base import ExecutorSource

__all__ = ["EXECUTORS"]

EXECUTORS: Catalogue[ExecutorSource] = Catalogue(
    kind="executor",
    component=ExecutorSource,
    package=__package__ or "",
    modules={"local": "local", "ray": "ray_cluster"},
    attribute="EXECUTOR",
    group="ser_tune.executors",
)
