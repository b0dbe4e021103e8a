"""Help of settings: the texts below their declarations."""

import ast
import inspect
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise

from pydantic import BaseModel

__all__ = ["help_of"]


def help_of(settings: type[BaseModel], name: str) -> str:
    """The text below a setting's declaration, in its class or the nearest base that has one; empty where none has.

    pydantic's `use_attribute_docstrings` searches for every class when it is made, which took most of the import.
    """
    found = (_texts_of_module(base.__module__).get(base.__name__, {}).get(name) for base in settings.__mro__)
    return next(filter(None, found), "")


@cache
def _texts_of_module(module: str) -> Mapping[str, Mapping[str, str]]:
    """The texts below declarations, by the names of classes and of fields; none where there is no source."""
    try:
        source = inspect.getsource(sys.modules[module])
    except (KeyError, OSError, TypeError):  # of Python itself, or typed into a notebook
        return {}
    return {node.name: _texts_in(node.body) for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}


def _texts_in(body: Sequence[ast.stmt]) -> Mapping[str, str]:
    """The texts below declarations in a class's body, by the names of fields."""
    texts = dict[str, str]()
    for above, below in pairwise(body):
        match above, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                texts[name] = text
    return texts
