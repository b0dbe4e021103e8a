"""Folds that share no spoken text."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..corpora import Corpus
from ..errors import CorpusError
from .fold import Fold, Strata, refuse_missing

__all__ = ["TEXT_PARTS", "text_independent_folds"]

TEXT_PARTS = 5
"""Parts that the texts of a corpus are dealt to, where it has as many texts."""


def text_independent_folds(corpus: Corpus, folds: Sequence[Fold], *, strata: Strata) -> tuple[Fold, ...]:
    """Restrict speaker folds so that no text is on two sides either.

    The corpus's texts, sorted by their most frequent stratum and then by name, are dealt in turn to T parts: five, or
    as many as there are texts. Fold i tests its test speakers' utterances of part i mod T, validates on its
    validation speakers' utterances of part i + 1 mod T, and trains on its training speakers' utterances of all other
    parts. Its other utterances are on no side.

    Args:
        corpus: Every utterance has a text.
        folds: By speakers.
        strata: Every training side covers them.

    Raises:
        CorpusError: A text is not known, there are fewer than three texts, a side is empty, or a training side lacks a
            stratum.
    """
    part, count = _text_parts(corpus, strata)
    restricted = []
    for fold in folds:
        test, validation = fold.number % count, (fold.number + 1) % count
        restricted.append(
            replace(
                fold,
                train=fold.train[~np.isin(part[fold.train], (test, validation))],
                validation=fold.validation[part[fold.validation] == validation],
                test=fold.test[part[fold.test] == test],
            )
        )
        refuse_missing(corpus, restricted[-1], strata)
    return tuple(restricted)


def _text_parts(corpus: Corpus, strata: Strata) -> tuple[np.ndarray, int]:
    """The part of each utterance's text, shape (U,), and the number of parts."""
    if unknown := [utterance.id for utterance in corpus.utterances if not utterance.text]:
        raise CorpusError(
            f"corpus {corpus.name}: the text of '{unknown[0]}' is not known, and text-independent folds need every "
            "text; provide it (in a manifest, the column 'text'), or leave out protocol.text_independent"
        )
    texts, text_of = np.unique([utterance.text for utterance in corpus.utterances], return_inverse=True)
    names, numbers = np.unique(strata.of_utterance, return_inverse=True)
    if len(texts) < 3:
        raise CorpusError(
            f"corpus {corpus.name} has {len(texts)} text(s); text-independent folds need at least 3, one for each side"
        )
    counts = np.zeros((len(texts), len(names)), dtype=np.int64)
    np.add.at(counts, (text_of, numbers), 1)
    count = min(TEXT_PARTS, len(texts))
    part_of_text = np.empty(len(texts), dtype=np.int64)
    part_of_text[np.argsort(counts.argmax(axis=1), kind="stable")] = np.arange(len(texts)) % count
    return part_of_text[text_of], count
