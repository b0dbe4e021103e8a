"""The report of a study or a model: data, protocol, scores, tables and pictures on one page."""

from .artifacts import log_pictures
from .mistakes import BANDS, mel_decibels
from .report import Report, report

__all__ = [
    "BANDS",
    "Report",
    "log_pictures",
    "mel_decibels",
    "report",
]
