"""`options`: every setting, from the one place where each is declared."""

from itertools import product

from ..architectures import ARCHITECTURES
from ..config import Leaf
from ..features import FEATURE_SETS
from ..search import options
from ..training import LOSSES
from .console import print_json, print_table

__all__ = ["list_options", "option_rows"]


def list_options(model: str | None, *, as_json: bool) -> None:
    """Print settings: those of one architecture's study, or of all components.

    Args:
        model: An architecture; None lists every component's settings.
        as_json: Print JSON instead of a table.
    """
    rows = option_rows(model)
    if as_json:
        print_json(rows)
    else:
        print_table(list(rows[0]), [list(row.values()) for row in rows])


def option_rows(model: str | None) -> list[dict[str, str]]:
    """Describe settings in words: path, component, type, bounds, default, search range and help.

    Args:
        model: An architecture; None lists every component's settings.
    """
    listed: dict[str, tuple[str, Leaf]] = {}
    variants: list[tuple[str, str | None, str]] = list(
        product(
            [model] if model else ARCHITECTURES.names(),
            [None] if model else FEATURE_SETS.names(),
            LOSSES.names(),
        )
    )
    for variant in variants:
        if sum(one != first for one, first in zip(variant, variants[0], strict=True)) > 1:
            continue  # a component's settings do not depend on the others
        name, features, loss = variant
        for leaf in options(name, features, loss):
            section = leaf.path.split(".")[0]
            owner = {"model": name, "loss": loss}.get(section, "")
            if section == "features":
                owner = "" if model else features or ""
            listed.setdefault(f"{owner} {leaf.path}", (owner, leaf))
    return [
        {
            "path": leaf.path,
            "for": owner,
            "type": leaf.type_name,
            "bounds": leaf.bounds,
            "default": "none" if leaf.default is None else str(leaf.default),
            "search": "" if leaf.search is None else str(leaf.search),
            "help": leaf.help,
        }
        for owner, leaf in listed.values()
    ]
