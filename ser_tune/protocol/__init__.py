"""The evaluation protocol: its fingerprint, folds, leak check, pretraining, and a study prepared to run under it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
