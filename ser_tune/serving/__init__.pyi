"""A registered model behind HTTP, in the form of MLflow's scoring server."""

from .limits import GRACE_S, Limits
from .server import Server

__all__ = ["GRACE_S", "Limits", "Server"]
