"""The plan of a study: how its trials are shared out between search and confirmation."""

import math
from dataclasses import dataclass

__all__ = ["Plan", "plan_of"]


@dataclass(frozen=True, slots=True)
class Plan:
    """The trials of a study."""

    searched: int
    """Trials that are proposed by the search."""
    confirmed: int = 0
    """Configurations that are trained again: the best ones, then trial 0, then the median one."""
    seeds: int = 0
    """Trials of each of them."""


def plan_of(trials: int, confirm: float) -> Plan:
    """Return the plan of a number of trials, a share of which confirms.

    >>> plan_of(50, 0.2)
    Plan(searched=40, confirmed=5, seeds=2)
    """
    if (fresh := int(confirm * trials)) == 0:
        return Plan(trials)
    seeds = max(1, math.isqrt(fresh // 2))  # 6 configurations on one seed are worth more than 3 on two
    return Plan(trials - fresh // seeds * seeds, fresh // seeds, seeds)
