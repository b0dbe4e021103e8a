"""Auditing a split: leaks from its test side to training or selection, wrong labels, and claimed numbers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
