"""Speaker folds: who trains, who validates, who is tested."""

from .fold import CORPORA_NOT_FREE, NOT_FREE, SIDES, Fold, Strata, refuse_missing, selection_note
from .holdout import held_out_names, held_out_speakers, never_seen, on_test_side
from .schemes import SCHEMES, scheme_folds
from .speakers import DEFAULT_FOLDS, may_train, outer_parts, speaker_folds
from .texts import TEXT_PARTS, text_independent_folds

__all__ = [
    "CORPORA_NOT_FREE",
    "DEFAULT_FOLDS",
    "NOT_FREE",
    "SCHEMES",
    "SIDES",
    "TEXT_PARTS",
    "Fold",
    "Strata",
    "held_out_names",
    "held_out_speakers",
    "may_train",
    "never_seen",
    "on_test_side",
    "outer_parts",
    "refuse_missing",
    "scheme_folds",
    "selection_note",
    "speaker_folds",
    "text_independent_folds",
]
