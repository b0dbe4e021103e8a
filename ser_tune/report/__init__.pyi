"""The report of a study or a model: data, protocol, scores, tables and pictures on one page."""

from .check_page import check_page
from .collect import Report, log_pictures, report
from .comparison_page import comparison_page
from .live_page import live_page
from .mistakes import BANDS, mel_decibels

__all__ = ["BANDS", "Report", "check_page", "comparison_page", "live_page", "log_pictures", "mel_decibels", "report"]
