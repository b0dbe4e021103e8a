"""`better`: a version with a better score replaces the champion."""

from dataclasses import replace

from .base import Comparison, PromotionRule, Ruling

__all__ = ["PROMOTION_RULE", "decide"]


def decide(comparison: Comparison) -> Ruling:
    """Decide by the scores; the reason calls the difference of an unconfirmed version unconfirmed."""
    ruling = comparison.by_score()
    if not ruling.replaces or comparison.same_search or comparison.confirmed:
        return ruling
    return replace(ruling, reason=f"{ruling.reason}; the difference is unconfirmed")


PROMOTION_RULE = PromotionRule(name="better", decide=decide, worse_recordings=False, citation="none")
