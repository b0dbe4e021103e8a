"""Objectives of a study: metrics of predictions, the worst group's score, the stressed score, and costs, one a file."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
