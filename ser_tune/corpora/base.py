"""What a corpus is: a labelled collection of recordings, and the object every corpus file defines."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from ..config import Value
from ..errors import CorpusError

__all__ = ["Corpus", "CorpusSource", "Utterance"]


@dataclass(frozen=True, slots=True)
class Utterance:
    """One labelled recording, or a stretch of one."""

    id: str
    """Unique in its corpus, such as `03a01Fa`."""
    path: Path
    speaker: str
    """The grouping key of every fold."""
    emotion: str
    group: str = ""
    """Speakers of one group are never on two sides of a fold (IEMOCAP's session); empty means the speaker alone."""
    start_s: float = 0.0
    end_s: float | None = None
    """Seconds into the file; None is its end."""


@dataclass(frozen=True, slots=True)
class CorpusSource:
    """How to read one corpus from disk; every module of this room defines one as `CORPUS`."""

    name: str
    read: Callable[[Path | None, Path], Sequence[Utterance]]
    """From the folder the user named (or None) and the cache folder to the utterances, raising `CorpusError`."""
    citation: str
    licence: str
    folds: int | None = None
    """Number of folds of the corpus's usual protocol; None means five, or one a speaker where there are fewer."""
    defaults: Mapping[str, Value] = field(default_factory=dict)
    """Settings that differ from the general ones on this corpus: dotted path to value."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus as read: its utterances in a fixed order, and what they contain."""

    name: str
    utterances: tuple[Utterance, ...]
    digest: str
    """SHA-256 over every file's content and every label: two corpora with one digest are the same corpus."""
    folds: int | None

    @classmethod
    def load(
        cls, source: CorpusSource, data: Path | None, cache: Path, *, emotions: Sequence[str] | None = None
    ) -> "Corpus":
        """Read a corpus and check that it can be used.

        Args:
            source: The corpus's reader.
            data: The folder or manifest the user named.
            cache: Where a corpus that makes its own files keeps them.
            emotions: Keep only these.

        Raises:
            CorpusError: The folder is missing or empty, a label is unknown, or fewer than two emotions are left.
        """
        utterances = tuple(sorted(source.read(data, cache), key=lambda utterance: utterance.id))
        where = f"corpus {source.name}" + (f" in {data}" if data else "")
        present = sorted({utterance.emotion for utterance in utterances})
        if emotions is not None:
            if missing := sorted(set(emotions) - set(present)):
                raise CorpusError(f"{where} has no emotion '{missing[0]}'; it has {', '.join(present)}")
            utterances = tuple(utterance for utterance in utterances if utterance.emotion in emotions)
            present = sorted(set(emotions))
        if len(present) < 2:
            raise CorpusError(f"{where} has {len(present)} emotion(s); expected at least two to tell apart")
        ids = [utterance.id for utterance in utterances]
        if len(set(ids)) != len(ids):
            double = next(one for one, other in pairwise(ids) if one == other)
            raise CorpusError(f"{where} has two utterances called '{double}'; expected unique names")
        return cls(name=source.name, utterances=utterances, digest=_digest(utterances), folds=source.folds)

    @property
    def emotions(self) -> tuple[str, ...]:
        """The class labels, sorted; a network's outputs are in this order."""
        return tuple(sorted({utterance.emotion for utterance in self.utterances}))

    @property
    def speakers(self) -> tuple[str, ...]:
        """Every speaker, sorted."""
        return tuple(sorted({utterance.speaker for utterance in self.utterances}))


def _digest(utterances: Sequence[Utterance]) -> str:
    """Hash what the corpus says and contains, wherever it lies."""
    paths = sorted({utterance.path for utterance in utterances})
    with ThreadPoolExecutor() as pool:  # hashing releases the interpreter lock
        contents = dict(zip(paths, pool.map(_content, paths), strict=True))
    total = hashlib.sha256()
    for one in utterances:
        label = (one.id, one.speaker, one.emotion, one.group, one.start_s, one.end_s)
        total.update(f"{contents[one.path]} {label}\n".encode())
    return total.hexdigest()


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}") from None
