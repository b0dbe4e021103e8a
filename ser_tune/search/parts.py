"""The parts of a search that are chosen by name: sampler, pruner, executor and promotion rule."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..components import Catalogue
from ..config import Leaf, SearchSettings
from ..execution import EXECUTORS
from ..promotion_rules import PROMOTION_RULES
from ..tasks import Task
from .pruners import PRUNERS
from .samplers import SAMPLERS

__all__ = ["AGGREGATION", "PARTS", "refuse_unknown_parts", "with_names"]

PARTS: Mapping[str, Catalogue[Any]] = {
    "sampler": SAMPLERS,
    "pruner": PRUNERS,
    "promotion": PROMOTION_RULES,
    "executor": EXECUTORS,
}
"""The catalogue of every search setting that names a component."""
AGGREGATION = "protocol.aggregation"
"""The setting that names one of the task's ways to combine segments."""


def refuse_unknown_parts(settings: SearchSettings) -> None:
    """Refuse a name that its catalogue has not, before anything else is done.

    Raises:
        UnknownNameError: There is no such component.
        ConfigError: It cannot be used.
    """
    for name, catalogue in PARTS.items():
        catalogue.check(getattr(settings, name))


def with_names(leaf: Leaf, task: Task) -> Leaf:
    """The description of a setting; of one that names a component, or a way of the task's, with all names."""
    section, _, name = leaf.path.partition(".")
    if leaf.path == AGGREGATION:
        return replace(leaf, type_name=" | ".join(task.aggregations))
    if section != "study" or name not in PARTS:
        return leaf
    return replace(leaf, type_name=" | ".join(PARTS[name].names()))
