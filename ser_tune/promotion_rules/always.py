"""`always`: every new version of the champion's protocol replaces it."""

from .base import Comparison, PromotionRule, Ruling

__all__ = ["PROMOTION_RULE"]


def decide(comparison: Comparison) -> Ruling:
    """Replace the champion, whatever the scores."""
    return Ruling(True, f"the rule is to replace {comparison.champion}, whatever the scores")


PROMOTION_RULE = PromotionRule(name="always", decide=decide, worse_recordings=False, citation="none")
