"""Processes that share a study: storage, locks, liveness, trial places, trained folds, status."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
