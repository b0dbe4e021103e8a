"""Objectives of a study: metrics of predictions, the worst group's score, the stressed score, and costs, one a file."""

from .base import CompleteTrial, StudyObjective
from .catalogue import KINDS, objectives_of
from .size_mb import network_bytes

__all__ = ["KINDS", "CompleteTrial", "StudyObjective", "network_bytes", "objectives_of"]
