"""All checks of a split, and their findings as JSON or as a page of HTML."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from ..errors import ConfigError
from .claims import Claim, judge_claims
from .file_checks import FILE_CHECKS
from .finding import Finding
from .recomputed import Recomputed, recomputed
from .sound_checks import check_sound
from .split import Split

__all__ = ["Audit", "as_html", "as_record", "audit_split"]

Outcome: TypeAlias = Literal["ok", "leaks", "wrong", "unchecked"]


@dataclass(frozen=True, slots=True)
class Audit:
    """The findings of all checks of a split."""

    source: str
    """The split's file, as the user named it."""
    rows: int
    recordings: int
    folds: int
    findings: tuple[Finding, ...]
    metrics: Mapping[str, Recomputed] | None
    """Scores of the predictions, by name; None where the file has none."""

    @property
    def ok(self) -> bool:
        """Whether nothing leaks, nothing is wrong, and the speakers were checked."""
        return self.outcome == "ok"

    @property
    def outcome(self) -> Outcome:
        """The worst finding; `unchecked` where nothing was found, but speakers are not known."""
        statuses = {finding.status for finding in self.findings}
        if "leak" in statuses:
            return "leaks"
        if "wrong" in statuses:
            return "wrong"
        return "unchecked" if self.speakers == "unchecked" else "ok"

    @property
    def speakers(self) -> Outcome:
        """The result of the check of speakers: `ok`, `leaks` or `unchecked`."""
        (status,) = (finding.status for finding in self.findings if finding.check == "speakers")
        return "leaks" if status == "leak" else status

    @property
    def summary(self) -> str:
        """The size of the split and the checks that found something, in one line."""
        found = ", ".join(dict.fromkeys(finding.check for finding in self.findings if not finding.clean))
        unchecked = ", ".join(finding.check for finding in self.findings if finding.status == "unchecked")
        return (
            f"{self.source}: {self.recordings} recordings, {self.folds} fold{'' if self.folds == 1 else 's'}: "
            f"{f'found: {found}' if found else 'nothing found'}{f'; not checked: {unchecked}' if unchecked else ''}"
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
        progressed: Called with the number of decoded recordings, and of all.

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
        findings += check_sound(split, progressed=progressed)
    else:
        findings.append(Finding("sound", "unchecked", "recordings were not decoded; pass --data DIR"))
    if metrics is not None:
        findings += judge_claims(claims, metrics)
    return Audit(
        source=split.source,
        rows=len(split.utterances),
        recordings=len(split.first_utterances),
        folds=len(split.folds),
        findings=tuple(findings),
        metrics=metrics,
    )


def as_record(audit: Audit) -> dict[str, object]:
    """The audit as JSON has it."""
    return {
        "source": audit.source,
        "ok": audit.ok,
        "outcome": audit.outcome,
        "speakers": audit.speakers,
        "rows": audit.rows,
        "recordings": audit.recordings,
        "folds": audit.folds,
        "findings": [
            {
                "check": finding.check,
                "status": finding.status,
                "verdict": finding.verdict,
                "details": list(finding.details),
            }
            for finding in audit.findings
        ],
        "metrics": audit.metrics and {name: _score_record(score) for name, score in audit.metrics.items()},
    }


def _score_record(score: Recomputed) -> dict[str, object]:
    interval = score.interval
    return {"value": score.value, "interval": [interval.low, interval.high] if interval.known else None}


def as_html(audit: Audit) -> str:
    """The audit as a page that needs no other file; the template escapes what the split's file contains."""
    from ..pages import page_from  # Jinja

    return page_from(Path(__file__).parent / "audit.html", audit=audit)
