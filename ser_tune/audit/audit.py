"""All checks of one split."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..errors import ConfigError
from .checks import FILE_CHECKS
from .claims import Claim, Recomputed, judge_claims, recomputed
from .finding import Finding
from .sound import hear, identical_sound, near_identical_sound
from .split import Split

__all__ = ["Audit", "Outcome", "audit_split"]

Outcome: TypeAlias = Literal["ok", "leaks", "wrong", "unchecked"]


@dataclass(frozen=True, slots=True)
class Audit:
    """What the checks of a split found."""

    source: str
    """The split's file, as the user named it."""
    rows: int
    recordings: int
    folds: int
    findings: tuple[Finding, ...]
    metrics: Mapping[str, Recomputed] | None
    """Of the predictions, by name; None where the file has none."""

    @property
    def ok(self) -> bool:
        """Whether nothing leaks, nothing is wrong, and the speakers were checked."""
        return self.outcome == "ok"

    @property
    def outcome(self) -> Outcome:
        """What the audit comes to; `unchecked` where nothing was found, but speakers are not known."""
        statuses = {one.status for one in self.findings}
        if "leak" in statuses:
            return "leaks"
        if "wrong" in statuses:
            return "wrong"
        return "unchecked" if self.speakers == "unchecked" else "ok"

    @property
    def speakers(self) -> Outcome:
        """What the check of the speakers comes to: `ok`, `leaks` or `unchecked`."""
        (status,) = (one.status for one in self.findings if one.check == "speakers")
        return "leaks" if status == "leak" else "ok" if status == "ok" else "unchecked"

    @property
    def summary(self) -> str:
        """What was audited and what was found, in one line."""
        found = ", ".join(dict.fromkeys(one.check for one in self.findings if not one.clean))
        unchecked = ", ".join(one.check for one in self.findings if one.status == "unchecked")
        plural = "" if self.folds == 1 else "s"
        left = f"; not checked: {unchecked}" if unchecked else ""
        return (
            f"{self.source}: {self.recordings} recordings, {self.folds} fold{plural}: "
            f"{f'found: {found}' if found else 'nothing found'}{left}"
        )


def audit_split(
    split: Split,
    *,
    claims: Sequence[Claim] = (),
    with_sound: bool = False,
    progressed: Callable[[int, int], None] = lambda done, total: None,
) -> Audit:
    """Run every check.

    Args:
        split: What to check.
        claims: Published numbers to recompute from its predictions.
        with_sound: Whether to decode its recordings.
        progressed: Told how many recordings were decoded, of how many.

    Raises:
        AudioError: No recording can be used.
        ConfigError: There are claims, and no predictions to recompute them from.
        CorpusError: Some test rows have a prediction, and some have none.
    """
    metrics = recomputed(split)
    if claims and metrics is None:
        raise ConfigError(f"{split.source} has no predictions, which --claim needs; expected a column 'prediction'")
    findings = [found for check in FILE_CHECKS if (found := check(split)) is not None]
    if with_sound:
        sounds, readable = hear(split, progressed=progressed)
        findings += [readable, *identical_sound(split, sounds), near_identical_sound(split, sounds)]
    else:
        findings.append(Finding("sound", "unchecked", "recordings were not decoded; pass --data DIR"))
    if metrics is not None:
        findings += judge_claims(claims, metrics)
    return Audit(
        source=split.source,
        rows=len(split.utterances),
        recordings=len(split.first_rows()),
        folds=len(split.folds),
        findings=tuple(findings),
        metrics=metrics,
    )
