"""The evaluation protocol: its fingerprint, folds, leak check, pretraining, and a study prepared to run under it."""

from .domains import refuse_uncounted_sounds
from .fingerprint import Protocol
from .leaks import (
    Bond,
    bond_of_likeness,
    find_leaks,
    leaks_in_words,
    refuse_fitted_leaks,
    refuse_leaks,
    refuse_misplaced_copies,
)
from .prepared import Prepared, draw_folds, load_corpus, prepare, stored_protocol
from .pretraining import Pretraining, pretraining_of

__all__ = [
    "Bond",
    "Prepared",
    "Pretraining",
    "Protocol",
    "bond_of_likeness",
    "draw_folds",
    "find_leaks",
    "leaks_in_words",
    "load_corpus",
    "prepare",
    "pretraining_of",
    "refuse_fitted_leaks",
    "refuse_leaks",
    "refuse_misplaced_copies",
    "refuse_uncounted_sounds",
    "stored_protocol",
]
