"""Auditing a split: leaks from its test side to training or selection, wrong labels, and claimed numbers."""

from .agreement import Agreement, RatingAgreement, VoteAgreement, agreement_of
from .all_checks import Audit, as_html, as_record, audit_split
from .baselines import SoundlessScore, speaker_baseline, text_baseline
from .claims import Claim, read_claim
from .crowd import AgainstCrowd, Crowd, EntropyFit, model_against_crowd
from .finding import Finding
from .split import Split
from .split_reading import read_split

__all__ = [
    "AgainstCrowd",
    "Agreement",
    "Audit",
    "Claim",
    "Crowd",
    "EntropyFit",
    "Finding",
    "RatingAgreement",
    "SoundlessScore",
    "Split",
    "VoteAgreement",
    "agreement_of",
    "as_html",
    "as_record",
    "audit_split",
    "model_against_crowd",
    "read_claim",
    "read_split",
    "speaker_baseline",
    "text_baseline",
]
