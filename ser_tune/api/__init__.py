"""The commands as functions: options are keyword arguments, and the command line prints the results."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # listing models needs no torch
