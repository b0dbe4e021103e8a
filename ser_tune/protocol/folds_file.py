"""Folds that a user wrote: a CSV of who trains, validates and is tested in each fold."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import numpy as np

from ..audit.split import SPLIT_COLUMNS, SPLIT_SIDES, side_named
from ..corpora import Corpus
from ..corpora.paths import posix_path
from ..corpora.table import read_table
from ..errors import CorpusError, LeakError
from ..folds import Fold, Strata, refuse_missing

__all__ = ["read_folds"]

HEADER = "path,fold,split"


def read_folds(corpus: Corpus, file: Path, *, strata: Strata) -> tuple[Fold, ...]:
    """Read the folds of a corpus.

    Args:
        corpus: The corpus that is split.
        file: A CSV with `fold`, `split` (train, validation or test) and `path` or `utterance`. A path is an
            utterance's name, or the end of its recording's path.
        strata: Every training side covers them.

    Returns:
        In the order of the file. Every utterance is on one side of every fold.

    Raises:
        CorpusError: The file does not cover the corpus, names something else, or a speaker is tested or validates in
            two folds, or a training side lacks a stratum.
        LeakError: A speaker is on two sides of a fold.
    """
    table = read_table(
        file, required=("fold", "split"), optional=SPLIT_COLUMNS, header=HEADER, either=("path", "utterance")
    )
    table.problems.refuse()
    named = "utterance" if "utterance" in table.columns else "path"
    numbers, example = _numbers(corpus), f"'{corpus.utterances[0].id}'"
    side_of: dict[str, dict[int, str]] = defaultdict(dict)
    for line in table.lines:
        where, row = f"{file}, line {line.number}", line.cells
        side = side_named(row["split"])
        if side is None:
            raise CorpusError(f"{where}: 'split' is '{row['split']}'; expected train, validation (val, dev) or test")
        found = numbers.get(row[named], numbers.get(posix_path(row[named]), []))
        if len(found) != 1:
            what = "names no utterance" if not found else f"names {len(found)} utterances"
            raise CorpusError(f"{where}: '{row[named]}' {what} of corpus {corpus.name}, such as {example}")
        if side_of[row["fold"]].setdefault(found[0], side) != side:
            raise LeakError(f"{where}: '{row[named]}' is on two sides of fold '{row['fold']}'")
    folds = tuple(
        _fold(corpus, strata, file, number, name, sides) for number, (name, sides) in enumerate(side_of.items())
    )
    for role in ("validation_speakers", "test_speakers"):
        spoken = [speaker for fold in folds for speaker in getattr(fold, role)]
        if double := sorted({speaker for speaker in spoken if spoken.count(speaker) > 1}):
            what = "is tested" if role == "test_speakers" else "validates"
            raise CorpusError(f"{file}: speaker '{double[0]}' {what} in two folds; expected one at most")
    return folds


def _numbers(corpus: Corpus) -> Mapping[str, list[int]]:
    """Utterances by name, and by every end of their path."""
    numbers: dict[str, list[int]] = {}
    for number, utterance in enumerate(corpus.utterances):
        parts = utterance.path.as_posix().split("/")
        for start in range(len(parts)):
            numbers.setdefault("/".join(parts[start:]), []).append(number)
    return numbers | {utterance.id: [number] for number, utterance in enumerate(corpus.utterances)}


def _fold(corpus: Corpus, strata: Strata, file: Path, number: int, name: str, side_of: Mapping[int, str]) -> Fold:
    where = f"{file}, fold '{name}'"
    if len(side_of) < len(corpus.utterances):
        missing = min(set(range(len(corpus.utterances))) - set(side_of))
        raise CorpusError(
            f"{where} covers {len(side_of)} of {len(corpus.utterances)} utterances of corpus {corpus.name}; "
            f"'{corpus.utterances[missing].id}' is on no side"
        )
    rows = {
        side: np.array(sorted(row for row, on in side_of.items() if on == side), dtype=np.int64) for side in SPLIT_SIDES
    }
    if empty := [side for side in SPLIT_SIDES if not len(rows[side])]:
        raise CorpusError(f"{where} has no {empty[0]} rows; expected train, validation and test")
    for side in ("validation", "test"):
        if len(unknown := rows[side][corpus.nobody[rows[side]]]):
            first = corpus.utterances[unknown[0]]
            raise CorpusError(
                f"{where}: '{first.id}' is on the {side} side, and its speaker '{first.speaker}' is a placeholder: who "
                "speaks in it may be trained on; expected it on the train side"
            )
    known = {side: rows[side][~corpus.nobody[rows[side]]] for side in SPLIT_SIDES}
    speakers = {side: sorted({corpus.utterances[row].speaker for row in known[side]}) for side in SPLIT_SIDES}
    for side, other in combinations(SPLIT_SIDES, 2):
        if shared := sorted(set(speakers[side]) & set(speakers[other])):
            raise LeakError(f"{where}: speaker '{shared[0]}' is on the {side} and the {other} side; expected one side")
    sides = (rows["train"], rows["validation"], rows["test"])
    fold = Fold(number, tuple(speakers["validation"]), tuple(speakers["test"]), *sides)
    refuse_missing(corpus, fold, strata)
    return fold
