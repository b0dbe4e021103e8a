"""What single changes of a configuration are worth: each trained on several seeds, and paired with it by speaker."""

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
    """Some changes change it."""
    scores: Sequence[float]
    """Pooled validation score of each seed, of the protocol's objective."""
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


def variant(definition: StudyDefinition, name: str, seeds: int) -> StudyDefinition:
    """A study without a search, which trains the configuration on so many seeds and keeps one model.

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
        studies: The unchanged configuration, then its variants: without searches, with as many trials as seeds, which
            are the same for all.
        workspace: The project's stores.
        watch: Opens what is told of a study and writes its runs; used anew for each.

    Yields:
        Each in turn; in place of a variant that cannot be trained, why. The same call tries it again.

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
            interval=seed_interval(objective, np.stack([one.sums(objective) for one in predictions])),
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
