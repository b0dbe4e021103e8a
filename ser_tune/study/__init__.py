"""Studies: what is searched, how a trial is scored, and who is told. Imports Optuna; knows nothing of MLflow."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # looking at studies needs no torch
