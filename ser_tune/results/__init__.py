"""Results read back from MLflow: compared, ranked, evaluated on other corpora, beside published ones."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
