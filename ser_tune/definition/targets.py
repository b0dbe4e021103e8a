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
        CorpusError: The corpus lacks it, an output's name has another meaning in predictions, or all utterances
            have the same answer or the same rating of a dimension.
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
    """Refuse dimensions with a single rating, and a single answer to all utterances: nothing can be learned of them."""
    values, count = targets.values, len(targets.values)
    if task.encoding == "values":
        for name, column in zip(targets.names, values.T, strict=True):
            if count and (column == column[0]).all():
                raise CorpusError(
                    f"corpus {corpus}: the rating of '{name}' is {column[0]:g} for all {count} utterances; "
                    "choose other dimensions by task.names"
                )
    elif not targets.required and count > 1 and (values == values[0]).all():
        answer = task.write(values[0], targets.names)
        raise CorpusError(
            f"corpus {corpus}: all {count} utterances have the same {task.answer}, {answer}; "
            "expected at least two answers"
        )


def strata_of(definition: StudyDefinition, targets: Targets) -> Strata:
    """The strata that every training side of a study covers; a single one where the task requires none."""
    if not targets.required:
        return Strata(["any"] * len(targets.strata), definition.task.answer)
    return Strata([targets.stratum_names[number] for number in targets.strata], definition.task.answer)
