"""What the commands do, as functions: they take the flags as keyword arguments, and return what the commands print."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # listing models needs no torch
