"""MLflow's side of a study: the store, the observer that fills it, and self-contained models."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # reading results needs no torch
