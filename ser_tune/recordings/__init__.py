"""A registered model on recordings: many files, a long recording, a picture of one, a microphone."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(
    __name__, __file__
)  # files need neither pictures nor a detector
