"""Targets of a study's utterances, and the strata that every training side covers."""

from dataclasses import replace

from ..corpora import Corpus
from ..errors import CorpusError
from ..folds import Strata
from ..tasks import Targets, Task
from .study_definition import StudyDefinition

__all__ = ["COLUMNS", "strata_of", "targets_of"]

COLUMNS = ("at_s", "end_s", "file", "label", "start_s", "waveform")
"""Columns and keys beside the outputs' names in tables of predictions, JSON, MLflow's and ONNX's signatures."""


def targets_of(definition: StudyDefinition, corpus: Corpus) -> Targets:
    """The targets of a study's utterances.

    Raises:
        CorpusError: The corpus lacks it, an output's name has another meaning in predictions, or all ratings of a
            dimension are equal.
    """
    targets, scales = definition.task.targets(definition.config.task, corpus.utterances), corpus.scales
    _refuse_ambiguous(targets, definition.task, corpus.name)
    _refuse_constant(targets, definition.task, corpus.name)
    known = not targets.scales and bool(scales) and all(name in scales for name in targets.names)
    return replace(targets, scales=tuple(scales[name] for name in targets.names)) if known else targets


def _refuse_ambiguous(targets: Targets, task: Task, corpus: str) -> None:
    """Refuse names that a row of predictions would have twice, or that an answer of several names is written with."""
    taken = {*COLUMNS, *((task.answer,) if task.named else ())}
    several = task.encoding == "labels"
    for name in targets.names:
        if name in taken or (several and (name == "none" or "|" in name)):
            where = "is a column of predictions" if name in taken else "separates or replaces names in answers"
            raise CorpusError(f"corpus {corpus}: an output is called '{name}', which {where}; rename it in the labels")


def _refuse_constant(targets: Targets, task: Task, corpus: str) -> None:
    """Refuse dimensions that nothing can be learned of."""
    if task.encoding != "values" or not len(targets.values):
        return
    for name, lowest, highest in zip(
        targets.names, targets.values.min(axis=0), targets.values.max(axis=0), strict=True
    ):
        if lowest == highest:
            raise CorpusError(
                f"corpus {corpus}: the rating of '{name}' is {lowest:g} for all {len(targets.values)} utterances; "
                "choose other dimensions by task.names"
            )


def strata_of(definition: StudyDefinition, targets: Targets) -> Strata:
    """The strata that every training side of a study covers; a single one where the task requires none."""
    if not targets.required:
        return Strata(["any"] * len(targets.strata), definition.task.answer)
    return Strata([targets.stratum_names[number] for number in targets.strata], definition.task.answer)
