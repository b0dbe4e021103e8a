"""Studies as they are defined: settings, search space, targets, and the differences between two of them."""

from .differences import Difference, differences_of, worded
from .kinds import AnyStudy, study_kind
from .plan import Plan
from .search_space import resolve_search
from .sizes import largest_network_bytes
from .study_definition import StudyDefinition, metrics_of, refuse_unfitting
from .targets import strata_of, targets_of

__all__ = [
    "AnyStudy",
    "Difference",
    "Plan",
    "StudyDefinition",
    "differences_of",
    "largest_network_bytes",
    "metrics_of",
    "refuse_unfitting",
    "resolve_search",
    "strata_of",
    "study_kind",
    "targets_of",
    "worded",
]
