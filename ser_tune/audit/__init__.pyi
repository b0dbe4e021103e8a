"""Auditing a split: leaks from its test side to training or selection, wrong labels, and claimed numbers."""

from .all_checks import Audit, as_html, as_record, audit_split
from .claims import Claim, read_claim
from .finding import Finding
from .split import Split
from .split_reading import read_split
from .text_only import TextBaseline, text_baseline

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
