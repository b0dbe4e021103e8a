"""Promotion rules, one a file. To add a rule: a module with a `PROMOTION_RULE`, and its line here."""

from ..components import Catalogue
from .base import Comparison, PromotionRule, Ruling, WorseScores

__all__ = ["PROMOTION_RULES", "Comparison", "PromotionRule", "Ruling", "WorseScores"]

PROMOTION_RULES: Catalogue[PromotionRule] = Catalogue(
    kind="promotion rule",
    component=PromotionRule,
    package=__name__,
    modules={"always": "always", "better": "better", "confident": "confident", "gated": "gated", "robust": "robust"},
    attribute="PROMOTION_RULE",
    group="ser_tune.promotion_rules",
)
