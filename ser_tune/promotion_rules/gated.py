"""`gated`: a version with a better score, or the first of its name, becomes champion if it passes a file of tests."""

from .base import PromotionRule
from .better import decide

__all__ = ["PROMOTION_RULE"]

PROMOTION_RULE = PromotionRule(
    name="gated",
    decide=decide,
    worse_recordings=False,
    tests=True,
    citation="A. Derington et al.: Testing Speech Emotion Recognition Machine Learning Models, arXiv 2312.06270, 2023",
)
