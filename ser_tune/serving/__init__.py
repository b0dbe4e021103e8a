"""A registered model behind HTTP, in the form of MLflow's scoring server."""

from .guard import Guard
from .server import Limits, Server

__all__ = ["Guard", "Limits", "Server"]
