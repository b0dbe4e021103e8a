"""ser-tune: an experiment manager for speech emotion recognition."""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import api
    from .registry import load_model

try:
    __version__ = version("ser-tune")
except PackageNotFoundError:  # a copy inside a registered model, where ser-tune itself need not be installed
    __version__ = "bundled"

__all__ = ["__version__", "api", "load_model"]


def __getattr__(name: str) -> object:
    """Import the rest when it is asked for: it brings torch and MLflow, which take seconds."""
    if name == "load_model":
        from .registry import load_model

        return load_model
    if name == "api":
        return import_module(".api", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
