"""Unlabelled speech: recordings of a folder, of which nothing but the sound is read."""

from pathlib import Path
from typing import get_args

from ..errors import CorpusError
from .base import Corpus
from .digests import contents_of, digests_of
from .folder import recordings_in
from .name_pattern import AUDIO_ENDINGS
from .selection import Need
from .utterance import Utterance

__all__ = ["read_unlabelled"]

NAME = "unlabelled"
"""Name of the corpus and of its speaker."""
LABEL: Need = get_args(Need)[0]
"""The label that all utterances lack."""


def read_unlabelled(folder: Path) -> Corpus:
    """The recordings of a folder, however deep, as a corpus without labels.

    Raises:
        CorpusError: There is no such folder, or it has no recordings.
    """
    if not folder.is_dir():
        raise CorpusError(f"corpus.unlabelled: '{folder}' is not a folder; expected that of the unlabelled speech")
    paths = sorted(recordings_in(folder, AUDIO_ENDINGS))
    if not paths:
        raise CorpusError(
            f"corpus.unlabelled: no recordings in '{folder}'; expected names that end in {', '.join(AUDIO_ENDINGS)}"
        )
    utterances = tuple(Utterance(path.relative_to(folder).as_posix(), path, NAME, "") for path in paths)
    contents = contents_of(utterances)
    digest, audio_digest = digests_of(utterances, contents, LABEL)
    return Corpus(
        name=NAME,
        utterances=utterances,
        contents=contents,
        folds=None,
        merge={},
        styles=(),
        digest=digest,
        audio_digest=audio_digest,
    )
