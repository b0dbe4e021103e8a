"""The state of studies as one page of HTML, which loads itself again while they run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..coordination import StudyStatus, TrialCourse
from ..metrics import Ranking
from ..pages import page_from
from .live_charts import HEIGHT, WIDTH, Chart, charts_of
from .words import displayed

__all__ = ["live_page"]

LISTED = 5
"""Trials of the table of the best."""


@dataclass(frozen=True, slots=True)
class _Study:
    """A study's state, charts and best trials."""

    status: StudyStatus
    charts: Sequence[Chart]
    best: Sequence[TrialCourse]
    paths: Sequence[str]
    """Settings that these trials vary."""

    @property
    def shares(self) -> Sequence[tuple[str, int, float]]:
        """Kind of trials, their number and their percentage of the requested ones."""
        status = self.status
        alive = sum(trial.alive for trial in status.running)
        counts = {
            "complete": status.complete,
            "pruned": status.pruned,
            "failed": len(status.failed),
            "running": alive,
            "to do": max(0, status.left - alive),
        }
        whole = max(1, sum(counts.values()))
        return [(kind, count, 100 * count / whole) for kind, count in counts.items()]


def live_page(
    statuses: Sequence[StudyStatus], courses: Mapping[str, Sequence[TrialCourse]], *, refresh_s: int | None
) -> str:
    """Write the page; the template escapes every name that comes from data.

    Args:
        statuses: The studies, in the order of the page.
        courses: Trials by study's name.
        refresh_s: Seconds after which a browser loads the page again; None of a page that is not written again.
    """
    return page_from(
        Path(__file__).parent / "live_page.html",
        studies=[_study(status, courses.get(status.name, ())) for status in statuses],
        now=datetime.now().astimezone(),
        refresh_s=refresh_s,
        displayed=displayed,
        size=(WIDTH, HEIGHT),
    )


def _study(status: StudyStatus, trials: Sequence[TrialCourse]) -> _Study:
    complete = [trial for trial in trials if trial.score is not None and trial.confirms is None]
    ranking = Ranking(status.objective)
    best = ranking.best_first(complete, lambda trial: trial.score, lambda trial: trial.number)[:LISTED]
    paths = sorted({path for trial in best for path in trial.values})
    return _Study(status, charts_of(trials, status.objective), best, paths)
