"""The error rate that the prediction sets of a model have on a corpus, beside the stated one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from ..folds import never_seen
from ..metrics import Metric
from ..registry import version_folder
from ..resampling import GroupScore, score_groups
from ..row_groups import rows_by
from ..tasks import PredictionSets, StatedSets
from ..tracking import Predictions, Workspace, prediction_sets_of, read_predictions
from .evaluation_setup import EvaluationSetup
from .nested_scores import nested_runs

__all__ = ["SetCoverage", "measure_sets"]

OWN = "each speaker by sets that the model's other validation speakers calibrated"
APART = "each corpus or language by sets that the validation speakers of the others calibrated"
NESTED = "each speaker by sets that the validation speakers of the search that never saw them calibrated"
ELSEWHERE = "sets that all validation speakers of the model calibrated, who are of other recordings"


def _missed(truth: np.ndarray, _: np.ndarray, groups: np.ndarray, n_groups: int, __: int) -> np.ndarray:
    """Errors and utterances of each group, shape (G, 2)."""
    return np.stack([np.bincount(groups, truth, n_groups), np.bincount(groups, minlength=n_groups)], axis=1)


def _share(sums: np.ndarray) -> np.ndarray:
    share: np.ndarray = sums[..., 0] / sums[..., 1]
    return share


SET_ERROR = Metric(
    name="set_error",
    title="error rate",
    description="share of utterances whose true {answer} is outside the prediction set",
    sums=_missed,
    value=_share,
    higher_is_better=False,
)


@dataclass(frozen=True, slots=True)
class SetCoverage:
    """Errors and sizes of a model's prediction sets on a corpus."""

    error_rate: float
    """The stated one."""
    guaranteed: bool
    """Whether it is a bound."""
    calibration: str
    """By whom the sets were calibrated, in words."""
    errors: Mapping[str, GroupScore]
    """The measured error rate by the name of the dimension; of classes under an empty name."""
    groups: Mapping[str, Sequence[GroupScore]]
    """The error rate of each group; of several dimensions the mean over them."""
    sizes: Mapping[str, float]
    """Mean number of classes of a set under an empty name; or the mean width of each dimension's range."""
    decided: float | None
    """Share of the utterances whose set has one class; None of dimensions."""
    empty: float | None
    """Share of the utterances whose set has no class; None of dimensions."""
    wrong: float | None
    """Share of wrong answers among the decided utterances; None of dimensions and where none is decided."""

    @property
    def error(self) -> GroupScore:
        """The measured error rate of classes, or of the dimension with the highest."""
        return max(self.errors.values(), key=lambda found: found.scores[SET_ERROR.name].value)


def measure_sets(
    workspace: Workspace,
    setup: EvaluationSetup,
    outputs: np.ndarray,
    *,
    error_rate: float,
    guaranteed: bool = False,
    groups: Mapping[str, Sequence[str]],
) -> SetCoverage:
    """Measure the error rate of prediction sets on the utterances of an evaluation.

    Args:
        workspace: The project's stores.
        setup: Version, or nested study, and corpus.
        outputs: Of `setup.networks`, shape (N, K).
        error_rate: The stated one.
        guaranteed: Whether it is a bound.
        groups: As `groups_of` returns them for the utterances.

    Raises:
        ConfigError: The model has no prediction sets, or too few calibration speakers for the error rate.
    """
    words, calibrated = _calibrations(workspace, setup, lambda sets: sets.at(error_rate, guaranteed=guaranteed))
    shown, truth = setup.task.show(outputs), setup.matched.truth
    places = np.array([setup.mapping.labels.index(name) for name in setup.shared])
    judged = [_judged(shown[rows], truth[rows], places, sets) for rows, sets in calibrated]
    order = np.argsort(np.concatenate([rows for rows, _ in calibrated]))
    missed, sizes = (np.concatenate(parts)[order] for parts in zip(*judged, strict=True))
    has_members = calibrated[0][1].has_members
    named = [""] if has_members else list(setup.shared)
    speakers = np.unique([utterance.speaker for utterance in setup.utterances], return_inverse=True)[1]

    def scored(values: np.ndarray, group: Sequence[str]) -> Sequence[GroupScore]:
        return score_groups(values, values, speakers, group, [SET_ERROR], 1)

    decided = sizes[:, 0] == 1
    return SetCoverage(
        error_rate=error_rate,
        guaranteed=guaranteed,
        calibration=words,
        errors={name: scored(column, ["all"] * len(order))[0] for name, column in zip(named, missed.T, strict=True)},
        groups={kind: scored(missed.mean(axis=1), values) for kind, values in groups.items()},
        sizes=dict(zip(named, sizes.mean(axis=0).tolist(), strict=True)),
        decided=float(decided.mean()) if has_members else None,
        empty=float((sizes[:, 0] == 0).mean()) if has_members else None,
        wrong=float(missed[decided].mean()) if has_members and decided.any() else None,
    )


def _judged(
    shown: np.ndarray, truth: np.ndarray, places: np.ndarray, sets: StatedSets
) -> tuple[np.ndarray, np.ndarray]:
    """Whether the true answer is outside the set, 0 or 1, and the size of the set, each of shape (N, 1) or (N, S).

    Args:
        shown: Probabilities or ratings of all outputs of the model, shape (N, K).
        truth: Targets over the shared outputs, shape (N,) or (N, S).
        places: The shared outputs among all, shape (S,).
        sets: Over all outputs.
    """
    if sets.has_members:
        sizes = sets.inside(shown).sum(axis=1)[:, np.newaxis]
        return ~sets.covers(shown, places[truth]) * 1.0, sizes
    own = StatedSets(sets.error_rate, sets.limits[places], sets.kind)
    return ~own.covers(shown[:, places], truth) * 1.0, np.tile(2 * own.limits, (len(truth), 1))


def _calibrations(
    workspace: Workspace, setup: EvaluationSetup, state: Callable[[PredictionSets], StatedSets]
) -> tuple[str, list[tuple[np.ndarray, StatedSets]]]:
    """The calibration in words, and rows of utterances with the sets that they are judged by."""
    if setup.version is None:
        return NESTED, [(rows, state(_sets_of(predictions))) for rows, predictions in _searches(workspace, setup)]
    speakers = [utterance.speaker for utterance in setup.utterances]
    if not setup.of_own_folds:
        return ELSEWHERE, [(np.arange(len(speakers)), state(prediction_sets_of(version_folder(setup.version))))]
    predictions = read_predictions(workspace, setup.run, "validation")
    if predictions is None:
        raise ConfigError(f"{setup.model} has no validation predictions, which calibrate prediction sets")
    known, together = np.array(predictions.speakers), setup.held_out_with
    # A network that held a whole corpus out is to be judged without its other speakers too, in whom other folds trained
    found = []
    for rows in rows_by([min(together.get(speaker, {speaker})) for speaker in speakers]).values():
        speaker = speakers[rows[0]]
        others = ~np.isin(known, sorted(together.get(speaker, {speaker})))
        found.append((rows, state(_sets_of(predictions, others))))
    return APART if together else OWN, found


def _searches(workspace: Workspace, setup: EvaluationSetup) -> Iterator[tuple[np.ndarray, Predictions]]:
    """Rows of the speakers that each search of a nested study never saw, and the search's validation predictions."""
    corpus = setup.networks.corpus
    for unseen, run in nested_runs(workspace, setup.model, corpus.name):
        predictions = read_predictions(workspace, run, "validation")
        rows = np.flatnonzero(np.isin(setup.networks.numbers, never_seen(corpus, unseen)))
        if predictions is None:
            raise ConfigError(f"{setup.model} has a search without validation predictions, which calibrate sets")
        if len(rows):
            yield rows, predictions


def _sets_of(predictions: Predictions, chosen: np.ndarray | slice = slice(None)) -> PredictionSets:
    """The prediction sets that some of the utterances calibrate."""
    sets = predictions.sets_of(chosen)
    if sets is None:
        raise ConfigError(
            f"models that predict {predictions.task.title} have no prediction sets; leave --error-rate out"
        )
    return sets
