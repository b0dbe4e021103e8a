"""`InOrder`: reports and results of jobs that overlap, passed on as if one job had followed another."""

from collections import defaultdict
from typing import TYPE_CHECKING

from .base import Keep, OnEpoch

if TYPE_CHECKING:
    from ..training import EpochReport, FittedNetwork

__all__ = ["InOrder"]


class InOrder:
    """Holds reports and results back until it is their job's turn."""

    def __init__(self, *, on_epoch: OnEpoch, keep: Keep) -> None:
        """Begin with job 0; arguments are those of `Executor.run`."""
        self._on_epoch, self._keep = on_epoch, keep
        self._reports: defaultdict[int, list[EpochReport]] = defaultdict(list)
        self._ended: dict[int, FittedNetwork | Exception] = {}
        self._turn = self._reported = 0

    def epoch_ended(self, job: int, report: "EpochReport") -> None:
        """Take the report of an epoch; of a job that is trained again, only epochs that were not reported before."""
        if report.epoch == len(self._reports[job]) + 1:
            self._reports[job].append(report)
        self._report()

    def job_ended(self, job: int, result: "FittedNetwork | Exception") -> None:
        """Take a result, or the exception of a job."""
        self.keep(job, result)
        if not isinstance(result, Exception):
            reports = self._reports[job]
            reports.extend(result.history[len(reports) :])  # reports may be late, or not sent at all
        self._ended[job] = result
        self._report()

    def keep(self, job: int, result: "FittedNetwork | Exception") -> None:
        """Keep a result whose turn need not come."""
        if not isinstance(result, Exception) and not self.has_ended(job):
            self._keep(job, result)

    def has_ended(self, job: int) -> bool:
        """Whether there is a result of a job."""
        return job in self._ended

    def take(self) -> "FittedNetwork | None":
        """The result of the job whose turn it is, and ends; None where it has not ended. Raises the job's exception."""
        result = self._ended.get(self._turn)
        if isinstance(result, Exception):
            raise result
        if result is not None:
            self._turn, self._reported = self._turn + 1, 0
            self._report()
        return result

    def _report(self) -> None:
        """Pass on the reports of the job whose turn it is."""
        reports = self._reports[self._turn]
        while self._reported < len(reports):
            self._reported += 1
            self._on_epoch(self._turn, reports[self._reported - 1])
