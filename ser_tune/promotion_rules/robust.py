"""`robust`: a version with a better score may not lose more than the champion in worse recordings."""

from statistics import fmean

from ..metrics import Ranking
from .base import Comparison, PromotionRule, Ruling
from .better import decide as decide_by_score

__all__ = ["PROMOTION_RULE"]


def decide(comparison: Comparison) -> Ruling:
    """Decide by the scores, and where they would replace the champion, by the losses of both in worse recordings."""
    ruling = decide_by_score(comparison)
    if not ruling.replaces:
        return ruling
    ours, theirs = comparison.in_worse_recordings()
    if not (shared := sorted(set(ours.worse) & set(theirs.worse))):
        reason = f"{ruling.reason}, but without scores of both in worse recordings the two cannot be compared there"
        return Ruling(False, reason)
    ranking = Ranking(comparison.metric)
    loss, before = (
        ranking.gain(scores.as_recorded, fmean(scores.worse[condition] for condition in shared))
        for scores in (ours, theirs)
    )
    tags = {"stress_loss": f"{loss:.4f}", "stress_loss_before": f"{before:.4f}"}
    kinds = f"{len(shared)} kind{'s' * (len(shared) > 1)}"
    losses = f"in {kinds} of worse recordings it loses {loss:.4f} {comparison.metric.title}, the champion {before:.4f}"
    if loss > before:
        return Ruling(False, f"{ruling.reason}, but {losses}", tags)
    return Ruling(True, f"{ruling.reason}; {losses}", tags)


PROMOTION_RULE = PromotionRule(name="robust", decide=decide, worse_recordings=True, citation="none")
