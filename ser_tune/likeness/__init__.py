"""Whether two recordings are one sound: audio fingerprints, an index of them, and the decision."""

from .fingerprint import FORMAT, audio_fingerprint
from .likeness import COMPARED, Likeness, near_groups, near_identical, nearest

__all__ = ["COMPARED", "FORMAT", "Likeness", "audio_fingerprint", "near_groups", "near_identical", "nearest"]
