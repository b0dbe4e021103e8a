"""Ablation: single changes of a configuration, trained on several seeds and paired with it by speaker."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np

from ..architectures import ARCHITECTURES
from ..coordination import Rerun
from ..definition import StudyDefinition
from ..errors import SerTuneError, StorageError
from ..protocol import Prepared, Protocol
from ..resampling import Interval, PairedComparison, seed_interval
from ..results import predictions_of
from ..search import StudyObserver
from ..tracking import Predictions, Workspace, compare_seeds
from .seeds import train_seeds

__all__ = ["Ablated", "ablate", "variant"]


@dataclass(frozen=True, slots=True)
class Ablated:
    """A configuration on several seeds."""

    study: str
    protocol: Protocol
    """A change may change it too."""
    scores: Sequence[float]
    """Pooled validation score of each seed, of the protocol's objective."""
    interval: Interval
    """Interval of the mean, by bootstrap over speakers and seeds."""
    against: PairedComparison | None
    """With the unchanged configuration, all seeds together; None for that itself, and for other utterances."""
    seconds: float
    """Training of all seeds."""

    @property
    def mean(self) -> float:
        """Mean score over the seeds."""
        return float(np.mean(self.scores))


def variant(definition: StudyDefinition, name: str, seeds: int) -> StudyDefinition:
    """A study without a search, which trains the configuration on several seeds and keeps a single model.

    A model that is solved is trained once: every seed gives the same network.
    """
    seeds = seeds if ARCHITECTURES.get(definition.config.model.name).is_random else 1
    single = replace(definition, config=definition.config.model_copy(update={"name": name})).without_search()
    settings = single.config.study.model_copy(
        update={"trials": seeds, "pruner": "none", "keep_models": 1, "timeout_s": None}
    )
    return replace(single, config=single.config.model_copy(update={"study": settings}))


def ablate(
    workspace: Workspace,
    studies: Sequence[Prepared],
    watch: Callable[[], AbstractContextManager[StudyObserver]],
) -> Iterator[Ablated | SerTuneError]:
    """Train a configuration and its variants, each as a study of its own. Test speakers are not scored.

    Args:
        workspace: The project's stores.
        studies: The unchanged configuration, then its variants, without searches; a trial for each seed, the same
            number for all.
        watch: Opens an observer, which writes the runs of a study; called for each study.

    Yields:
        Each configuration; in place of a variant that cannot be trained, the error. The same call tries it again.

    Raises:
        SerTuneError: The unchanged configuration cannot be trained, or a disk or database fails.
        KeyboardInterrupt: It was interrupted; the same call goes on from there.
    """
    unchanged: Sequence[Predictions] = ()
    for prepared in studies:
        objective = prepared.definition.objective
        rerun = Rerun(queue=[{}] * prepared.definition.config.study.trials)
        try:
            with watch() as observer:
                runs = train_seeds(workspace, prepared, rerun, observer)
            predictions = predictions_of(workspace, runs, "validation")
        except StorageError:
            raise
        except SerTuneError as error:
            if not unchanged:
                raise
            yield error
            continue
        yield Ablated(
            study=prepared.definition.name,
            protocol=prepared.protocol,
            scores=[run.data.metrics[f"validation_{objective.name}"] for run in runs],
            interval=seed_interval(objective, np.stack([seed.sums(objective) for seed in predictions])),
            against=_against(prepared.definition, predictions, studies[0].definition, unchanged),
            seconds=sum(run.data.metrics["trial_seconds"] for run in runs),
        )
        unchanged = unchanged or predictions


def _against(
    changed: StudyDefinition, ours: Sequence[Predictions], unchanged: StudyDefinition, theirs: Sequence[Predictions]
) -> PairedComparison | None:
    """A change paired with the unchanged configuration; None where task, objective, classes or utterances differ."""
    if not theirs or (changed.task, changed.objective) != (unchanged.task, unchanged.objective):
        return None
    if (ours[0].utterances, ours[0].names) != (theirs[0].utterances, theirs[0].names):
        return None
    return compare_seeds(ours, theirs, changed.metrics)
