"""The commands as functions: options are keyword arguments, and the command line prints the results."""

import sys
import warnings

import lazy_loader

if "ipykernel" in sys.modules:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "IProgress not found")  # a note of tqdm, whose bars nobody sees here
        import tqdm.auto  # noqa: F401 - Optuna imports it, outside of this block

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)  # listing models needs no torch
