"""What single changes of a configuration are worth: each trained on several seeds, and paired with it by speaker."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from mlflow import MlflowClient

from ..config import Project
from ..errors import StudyError
from ..metrics import Interval, PairedComparison, compare_paired, seed_intervals
from ..study import Prepared, StudyObserver, load_study, run_study
from ..tracking import Predictions, experiment_of, find_runs, read_predictions, tracking_errors

__all__ = ["Ablated", "ablate"]


@dataclass(frozen=True, slots=True)
class Ablated:
    """A configuration on several seeds."""

    study: str
    fingerprint: str
    """Of its protocol, which some changes change."""
    scores: Sequence[float]
    """Pooled validation UAR of each seed."""
    interval: Interval
    """Of their mean, by bootstrap over speakers and seeds."""
    against: PairedComparison | None
    """With the unchanged configuration, all seeds together; None for itself, or where other utterances are judged."""
    seconds: float
    """Training of all seeds."""

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return float(np.mean(self.scores))


def ablate(
    studies: Sequence[Prepared],
    client: MlflowClient,
    project: Project,
    watch: Callable[[], AbstractContextManager[StudyObserver]],
) -> Sequence[Ablated]:
    """Train a configuration and its variants, each as a study of its own. Test speakers are not scored.

    Args:
        studies: The unchanged configuration, then its variants: without searches, with as many trials as seeds, which
            are the same for all.
        client: MLflow.
        project: Where things are.
        watch: Opens what is told of a study and writes its runs; used anew for each.

    Raises:
        StudyError: A training failed.
        KeyboardInterrupt: It was interrupted; the same call goes on from there.
    """
    ablated: list[Ablated] = []
    unchanged: Sequence[Predictions] = ()
    for prepared in studies:
        with watch() as observer:
            summary = run_study(prepared, project, observer)
        if summary.interrupted:
            raise KeyboardInterrupt
        seeds = prepared.definition.config.study.trials
        if summary.complete < seeds:
            raise StudyError(f"study {summary.name}: {summary.failed} trainings failed, as their runs say")
        study, _ = load_study(prepared.definition.name, project)
        with tracking_errors(project.tracking_uri):
            experiment = experiment_of(client, project, prepared.corpus.name)
            _, runs = find_runs(client, experiment, study.user_attrs["study_id"])
            # Two processes at once can have trained more
            numbers = [one for one, state in sorted(summary.finished.items()) if state == "COMPLETE"][:seeds]
            complete = [runs[number] for number in numbers]
            read = [read_predictions(client, run.info.run_id, "validation") for run in complete]
        predictions = [one for one in read if one is not None]
        if len(predictions) < len(complete):
            raise StudyError(f"study '{summary.name}': the predictions of a trial are gone from {project.tracking_uri}")
        unchanged = unchanged or predictions
        ablated.append(
            Ablated(
                study=summary.name,
                fingerprint=prepared.protocol.fingerprint,
                scores=[run.data.metrics["validation_uar"] for run in complete],
                interval=seed_intervals(np.stack([one.confusions for one in predictions]))[0],
                against=_paired(predictions, unchanged) if ablated and _same(predictions, unchanged) else None,
                seconds=sum(run.data.metrics["trial_seconds"] for run in complete),
            )
        )
    return ablated


def _same(ours: Sequence[Predictions], theirs: Sequence[Predictions]) -> bool:
    """Whether a change left utterances and classes as they were; what differs in them cannot be paired."""
    return ours[0].utterances == theirs[0].utterances and ours[0].emotions == theirs[0].emotions


def _paired(ours: Sequence[Predictions], theirs: Sequence[Predictions]) -> PairedComparison:
    """All seeds of two configurations, utterance by utterance."""
    pairs = list(zip(ours, theirs, strict=True))
    return compare_paired(
        np.concatenate([one.truth for one, _ in pairs]),
        np.concatenate([one.predicted for one, _ in pairs]),
        np.concatenate([one.predicted for _, one in pairs]),
        np.concatenate([one.speaker_numbers for one, _ in pairs]),
        len(ours[0].emotions),
    )
