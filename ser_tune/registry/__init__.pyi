"""Champions: promoting a study's trial to a registered model, and finding registered models by name."""

from .checked_model import CheckedNumber, JudgedUtterances, check_numbers, refuse_unknown_tests, size_of
from .listing import RegisteredVersion, list_versions, listed_versions
from .model_card import add_evaluations
from .promoting import promote, promote_combination, refuse_unusable
from .registration import Promotion
from .training_sounds import REFIT_TAG, TrainingSounds, read_training_sounds
from .verdict import Confirmed
from .version_files import refuse_changed_model, version_folder
from .versions import CHAMPION, find_version, is_registered, load_model, registered_name

__all__ = [
    "CHAMPION",
    "REFIT_TAG",
    "CheckedNumber",
    "Confirmed",
    "JudgedUtterances",
    "Promotion",
    "RegisteredVersion",
    "TrainingSounds",
    "add_evaluations",
    "check_numbers",
    "find_version",
    "is_registered",
    "list_versions",
    "listed_versions",
    "load_model",
    "promote",
    "promote_combination",
    "read_training_sounds",
    "refuse_changed_model",
    "refuse_unknown_tests",
    "refuse_unusable",
    "registered_name",
    "size_of",
    "version_folder",
]
