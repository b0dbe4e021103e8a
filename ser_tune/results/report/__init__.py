"""The report of a study or a model: what was asked, how it was scored, what came of it, on one page."""

from .artifacts import log_pictures
from .evidence import Report, report

__all__ = ["Report", "log_pictures", "report"]
