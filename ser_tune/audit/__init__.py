"""Auditing a split: leaks from its test side to training or selection, wrong labels, and claimed numbers.

Knows nothing of studies; studies use its text-only baseline.
"""

from .audit import Audit, audit_split
from .claims import Claim, read_claim
from .finding import Finding
from .formats import read_split
from .report import as_html, as_record
from .split import Split
from .texts import TextBaseline, text_baseline

__all__ = [
    "Audit",
    "Claim",
    "Finding",
    "Split",
    "TextBaseline",
    "as_html",
    "as_record",
    "audit_split",
    "read_claim",
    "read_split",
    "text_baseline",
]
