"""Champions: promoting a study's trial to a registered model, and finding registered models by name."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # reading results needs no torch
