"""The search: assembly of a study, sampling, pruning, the objective, trials and their selection. Imports no MLflow."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
