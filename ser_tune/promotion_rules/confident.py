"""`confident`: a version replaces the champion where its score is better and a paired test confirms the difference."""

from dataclasses import replace

from .base import Comparison, PromotionRule, Ruling

__all__ = ["PROMOTION_RULE"]

SIGNIFICANT = 0.05
"""A p-value below this, corrected for the searched trials, makes a champion."""


def decide(comparison: Comparison) -> Ruling:
    """Decide by the scores, and where they would replace the champion of another search, by the p-value."""
    ruling = comparison.by_score()
    if not ruling.replaces or comparison.same_search:
        return ruling
    p_value, searched = comparison.p_value, comparison.searched
    if p_value is None:
        return Ruling(False, f"{ruling.reason}, but without predictions of both there is no paired test")
    test = f"p = {p_value:.3f}" + (f", Bonferroni-corrected for {searched} searched trials" if searched > 1 else "")
    if p_value >= SIGNIFICANT:
        return Ruling(False, f"{ruling.reason}, but not with p < {SIGNIFICANT} ({test})")
    return replace(ruling, reason=f"{ruling.reason}, with {test}")


PROMOTION_RULE = PromotionRule(
    name="confident",
    decide=decide,
    worse_recordings=False,
    citation="E. J. G. Pitman: Significance Tests Which May Be Applied to Samples from Any Populations, 1937",
)
