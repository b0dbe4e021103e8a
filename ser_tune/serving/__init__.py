"""A registered model behind HTTP, on MLflow's scoring server."""

from .guard import Guard
from .server import Limits, Server

__all__ = ["Guard", "Limits", "Server"]
