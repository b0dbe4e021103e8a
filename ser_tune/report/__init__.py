"""The report of a study or a model: data, protocol, scores, tables and pictures on one page."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
