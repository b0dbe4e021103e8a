"""Training the network of a fold: losses, augmentation, optimisation, the learning-rate range test."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
