"""The class of a study's trials, which results have."""

from ..results import StudyTrial

__all__ = ["StudyTrial"]
