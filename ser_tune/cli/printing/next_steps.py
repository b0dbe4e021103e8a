"""The commands that a study's end suggests: predict, look, publish."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...config import together
from ...corpora import CORPORA
from ...project import Project
from ..console import results, shortest

if TYPE_CHECKING:
    from ...protocol import Prepared
    from ...registry import Promotion

__all__ = ["print_next"]

TRAINED_ON = "  # networks were trained on it: judge them by recordings of your own"
SEVERAL = 3
"""Recordings of a speaker that are predicted together where a model judges them together."""


def print_next(promotion: "Promotion", tracking_uri: str | None, *, searched: bool = False) -> None:
    """Print commands to go on with, each on a line of its own.

    Args:
        promotion: The registered result.
        tracking_uri: The option's value.
        searched: Whether this process was started for a search, which can be repeated for each test fold.
    """
    from ...experiments import can_be_nested  # with MLflow: only after a study

    where = f" --tracking-uri {shlex.quote(tracking_uri)}" if tracking_uri else ""
    prepared = promotion.prepared
    paths, note = _recordings(prepared)
    several = together(prepared.definition.config)  # `predict` judges the files together
    audio = " ".join(shlex.quote(shortest(path)) for path in paths[: SEVERAL if several else 1])
    results.print(f"next: ser-tune predict {promotion.reference} {audio}{where}{note}")
    results.print(f"next: ser-tune report {shlex.quote(prepared.definition.name)}{where}")
    free = prepared.is_official or prepared.definition.config.protocol.scheme == "train-test"
    if searched and not free and can_be_nested(prepared, Project.locate()):
        command = shlex.join(["ser-tune", *sys.argv[1:], "--nested"])
        folds = prepared.folds_of_protocol
        results.print(f"next: {command}  # a number to publish: a search for each of {folds} test folds")
    results.print(f"next: ser-tune ui{where}")


def _recordings(prepared: "Prepared") -> tuple[Sequence[Path], str]:
    """Recordings of a speaker that the model's networks did not train on; else of the corpus, with a note."""
    corpus, protocol = prepared.corpus, prepared.definition.config.protocol
    folder = corpus.utterances[0].path.parent
    if corpus.name in CORPORA.names() and (unseen := CORPORA.get(corpus.name).unseen(folder)):
        return unseen, ""
    kept_out = [utterance for utterance in corpus.utterances if utterance.speaker in protocol.holdout]
    if (prepared.is_official or protocol.scheme == "train-test") and len(tested := prepared.folds[0].test):
        kept_out = [corpus.utterances[number] for number in tested]
    utterances = kept_out or [
        utterance for utterance, nobody in zip(corpus.utterances, corpus.nobody, strict=True) if not nobody
    ]
    speaker = utterances[0].speaker
    same = [utterance.path for utterance in utterances if utterance.speaker == speaker]
    return same, "" if kept_out else TRAINED_ON
