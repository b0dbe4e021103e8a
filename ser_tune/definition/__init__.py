"""Studies as they are defined: settings, search space, targets, and the differences between two of them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
