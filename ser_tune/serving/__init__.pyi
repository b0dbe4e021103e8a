"""A registered model behind HTTP, in the form of MLflow's scoring server."""

from .server import GRACE_S, Limits, Server

__all__ = ["GRACE_S", "Limits", "Server"]
