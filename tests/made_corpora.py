"""Corpora of utterances that tests make up, without recordings."""

from collections.abc import Mapping, Sequence

from ser_tune.corpora import Corpus, Utterance

__all__ = ["made_corpus"]


def made_corpus(
    utterances: Sequence[Utterance],
    *,
    folds: int | None = None,
    scales: Mapping[str, tuple[float, float]] | None = None,
) -> Corpus:
    """A corpus of these utterances.

    Args:
        utterances: Their recordings are not read; each is taken to be another recording.
        folds: As the corpus recommends.
        scales: Lowest and highest rating of each dimension.
    """
    return Corpus(
        name="made",
        utterances=tuple(utterances),
        contents=tuple(utterance.id for utterance in utterances),
        folds=folds,
        merge={},
        styles=(),
        digest="",
        audio_digest="",
        scales={} if scales is None else scales,
    )
