"""Corpora: labelled collections of recordings, and the object that every corpus file defines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..config import Value
from ..errors import CorpusError, UnknownNameError
from .challenge import Challenge
from .check_names import in_effect, name_problems
from .digests import contents_of, digests_of
from .names import is_placeholder
from .origin import Origin
from .selection import Chosen, Need, Subset, choose
from .utterance import Utterance

__all__ = [
    "Archive",
    "Corpus",
    "CorpusSource",
    "select_utterances",
]


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip file for download, and its digests."""

    url: str
    sha256: str | None
    """Digest of the zip file; None where its owners do not publish one, so that the digest alone decides."""
    digest: str
    """`Corpus.digest` of the unpacked corpus, in its default subset."""


@dataclass(frozen=True, slots=True)
class CorpusSource:
    """The reader of a corpus on disk; every module of this room defines one as `CORPUS`."""

    name: str
    read: Callable[[Path | None, Path], Sequence[Utterance]]
    """Returns the utterances, from the user's folder or None, and the cache folder; raises `CorpusError`."""
    citation: str
    licence: str
    home: str = ""
    """Web page of the corpus's owners; empty if there is none."""
    label: str = ""
    """Name of the corpus for its users, where it differs from the reader's: of a table, or in a union."""
    archive: Archive | None = None
    """Fetched by `ser-tune corpus download`; None where the licence requires a request, or a choice by hand."""
    on_request: bool = False
    """Whether its owners give it to those who ask, sign or register."""
    languages: tuple[str, ...] = ()
    """Spoken languages as ISO 639 codes, sorted; empty where they are not known in advance."""
    speakers: tuple[str, ...] = ()
    """All speakers of the corpus, sorted; empty if they are not known in advance."""
    folds: int | None = None
    """Number of folds of the corpus's usual protocol; None means five, or one a speaker where there are fewer."""
    subsets: Mapping[str, Subset] = field(default_factory=lambda: {"all": Subset("every utterance")})
    """Label to subset; the first is the default. Users choose by `--task` or `corpus.task`."""
    defaults: Mapping[str, Value] = field(default_factory=dict)
    """Settings that differ from the general ones on this corpus: dotted path to value."""
    scales: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Lowest and highest rating of every dimension; empty where the corpus has none, or a table may have any."""
    challenge: Challenge = Challenge()  # noqa: RUF009 - frozen
    """The table of predictions that the corpus's challenges take."""
    read_allowing: Callable[[Path | None, Path, Sequence[Path]], Sequence[Utterance]] | None = None
    """As `read`, with further folders that recordings may lie in; None where a corpus's recordings lie in its own."""
    unseen: Callable[[Path], Sequence[Path]] = lambda folder: ()
    """Makes recordings of a speaker who is not in the corpus, from the folder of its recordings; none by default."""
    remarks: Callable[[Path | None], Sequence[str]] = lambda data: ()
    """From the folder or table the user named to sentences on what is not read of it, without opening a recording."""

    @property
    def shown(self) -> str:
        """The name of the corpus for its users."""
        return self.label or self.name

    def subset(
        self,
        label: str | None = None,
        *,
        emotions: Sequence[str] | None = None,
        styles: Sequence[str] | None = None,
        merge: Mapping[str, str] | None = None,
    ) -> Subset:
        """Return a subset, whose choices the user may replace.

        Args:
            label: One of `subsets`; None is the first.
            emotions: Keep only these, after merging; None is the subset's choice, as below.
            styles: Keep only these speaking styles.
            merge: Emotion to the one that it counts as.

        Raises:
            UnknownNameError: There is no such subset.
        """
        if label is not None and label not in self.subsets:
            raise UnknownNameError(f"task of corpus {self.name}", label, self.subsets)
        subset = self.subsets[label or next(iter(self.subsets))]
        return replace(
            subset,
            emotions=subset.emotions if emotions is None else tuple(emotions),
            styles=subset.styles if styles is None else tuple(styles),
            merge=subset.merge if merge is None else merge,
        )

    def defaults_of(self, label: object) -> Mapping[str, Value]:
        """The settings that differ from the general ones on a subset; of an unknown one, those of the corpus."""
        known = isinstance(label, str) and label in self.subsets
        subset = self.subsets[str(label) if known else next(iter(self.subsets))]
        return {**self.defaults, **(subset.defaults if known or label is None else {})}

    def allowing(self, folders: Sequence[Path]) -> "CorpusSource":
        """The same source, whose recordings may also lie in these folders."""
        if not folders or (read := self.read_allowing) is None:
            return self
        return replace(self, read=lambda data, cache: read(data, cache, folders))


@dataclass(frozen=True, slots=True)
class Corpus:
    """A corpus as read: its utterances in a fixed order, and what they contain."""

    name: str
    utterances: tuple[Utterance, ...]
    contents: tuple[str, ...]
    """SHA-256 of the file of each utterance."""
    folds: int | None
    merge: Mapping[str, str]
    """Original emotion to merged emotion; the utterances have the merged emotion."""
    styles: tuple[str, ...]
    """The speaking styles that were kept, sorted; empty where the corpus has none."""
    digest: str
    """SHA-256 over every recording and its labels, independent of names and places of the files: two corpora
    with one digest are the same corpus."""
    audio_digest: str
    """SHA-256 over the recordings alone, in order: what features depend on."""
    names_as_written: tuple[str, ...] = ()
    """Names that would otherwise be taken for another's spelling or for a placeholder, sorted."""
    left_out: int = 0
    """Utterances without the label that the task needs."""
    scales: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Lowest and highest rating of every dimension, where they are known."""
    origins: tuple[Origin, ...] = ()
    """Readers of the utterances, in a union in the order of writing."""
    wholes: tuple["Corpus", ...] = field(default=(), repr=False, compare=False)
    """The corpora of a union by themselves, in the order of `origins`, with the utterances that the union leaves out:
    features are extracted of these, once for all unions. Empty in a corpus by itself."""
    emotions: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """The consensus emotions, sorted; the outputs of a network that recognises them are in this order."""
    speakers: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """Every speaker, sorted; placeholders such as `unknown` are none."""
    labels: np.ndarray = field(init=False, repr=False, compare=False)
    """Number of each utterance's emotion, shape (U,), int64; -1 where there is no consensus."""
    speaker_numbers: np.ndarray = field(init=False, repr=False, compare=False)
    """Number of each utterance's speaker, shape (U,), int64. Utterances without a known speaker have higher numbers,
    one for each session: their statistics are computed over the session."""
    parts: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """The labels of the corpora of a union, sorted; a single empty label in a corpus by itself."""
    part_numbers: np.ndarray = field(init=False, repr=False, compare=False)
    """Number of each utterance's corpus in `parts`, shape (U,), int64."""
    nobody: np.ndarray = field(init=False, repr=False, compare=False)
    """Whether the speaker's name is a placeholder, shape (U,), bool: such an utterance may train, and is held out by
    no fold."""

    @property
    def is_union(self) -> bool:
        """Whether its utterances are from several corpora."""
        return self.parts != ("",)

    @property
    def readers(self) -> dict[str, str]:
        """The corpus's name for its users to the name of its reader; of a union each of its corpora."""
        return {origin.label or self.name: origin.source for origin in self.origins} or {self.name: self.name}

    @property
    def reader(self) -> str:
        """The name of the reader; of a union all, joined by +."""
        return "+".join(self.readers.values())

    @property
    def places(self) -> np.ndarray:
        """The place in `wholes` of each utterance of a union, and its number there, shape (U, 2), int64."""
        place_of = {
            f"{origin.label}/{utterance.id}": (place, number)
            for place, (origin, whole) in enumerate(zip(self.origins, self.wholes, strict=True))
            for number, utterance in enumerate(whole.utterances)
        }
        return np.array([place_of[utterance.id] for utterance in self.utterances], dtype=np.int64).reshape(-1, 2)

    @property
    def merged(self) -> tuple[str, ...]:
        """Emotions that count as another that was kept, such as `excitement=happiness`, sorted."""
        # What was merged into an emotion that is not kept, or into itself, is as if it was never written
        kept = sorted((own, target) for own, target in self.merge.items() if target in self.emotions and own != target)
        return tuple(f"{own}={target}" for own, target in kept)

    def __post_init__(self) -> None:
        """Number emotions and speakers once, because every fold uses the numbers."""
        unknown = {
            name
            for name, own in {(utterance.speaker, utterance.own_speaker) for utterance in self.utterances}
            if name not in self.names_as_written and is_placeholder(own)
        }
        emotions, speakers = (
            {getattr(utterance, what) for utterance in self.utterances} for what in ("emotion", "speaker")
        )
        # Behind the speakers: a tuple sorts apart from every name
        owners = [
            ("", utterance.group) if utterance.speaker in unknown else utterance.speaker
            for utterance in self.utterances
        ]
        number_of = {name: number for number, name in enumerate(sorted(speakers - unknown))}
        behind = sorted({owner for owner in owners if isinstance(owner, tuple)})
        all_numbers = number_of | {owner: number for number, owner in enumerate(behind, len(number_of))}
        class_of = {name: number for number, name in enumerate(sorted(emotions - {""}))}
        part_of = {name: number for number, name in enumerate(sorted({own.corpus for own in self.utterances}))}
        for name, value in (
            ("emotions", tuple(class_of)),
            ("speakers", tuple(number_of)),
            ("labels", np.array([class_of.get(utterance.emotion, -1) for utterance in self.utterances], np.int64)),
            ("speaker_numbers", np.array([all_numbers[owner] for owner in owners], dtype=np.int64)),
            ("parts", tuple(part_of)),
            ("part_numbers", np.array([part_of[utterance.corpus] for utterance in self.utterances], dtype=np.int64)),
            ("nobody", np.array([isinstance(owner, tuple) for owner in owners], dtype=bool)),
        ):
            object.__setattr__(self, name, value)

    @classmethod
    def load(
        cls,
        source: CorpusSource,
        data: Path | None,
        cache: Path,
        *,
        subset: Subset | str | None = None,
        names_as_written: Sequence[str] = (),
        needs: Need = "emotion",
        begin: str = "",
    ) -> "Corpus":
        """Read a corpus and check that it can be used.

        Args:
            source: The corpus's reader.
            data: The folder or manifest the user named.
            cache: Where a corpus that makes its own files keeps them.
            subset: Any choice, or a label of the source's subsets; None is the first.
            names_as_written: Names that are taken as they are, though they look like a placeholder or a spelling of
                another name.
            needs: The label that the task needs; utterances without it are left out.
            begin: Begin of names that are taken as they are, as users write them: of a corpus in a union, such as
                `urdu:`.

        Raises:
            CorpusError: The folder is missing or empty, a label is unknown, a name is spelt in two ways, an emotion is
                a placeholder, or fewer than two emotions are left where the labels are emotions.
            UnknownNameError: There is no such subset.
        """
        where = _where(source, data)
        chosen = subset if isinstance(subset, Subset) else source.subset(subset)
        found = choose(source.read(data, cache), chosen, where, needs=needs)
        kept = found.utterances
        own = [name.removeprefix(begin) for name in names_as_written if name.startswith(begin)]
        if problems := name_problems(kept, emotions=found.names, used=found.used or (), as_written=own, begin=begin):
            raise CorpusError(f"{where}: {'; '.join(problems)}")
        if found.used is not None and (present := len(set(found.used))) < 2:
            raise CorpusError(f"{where} has {present} emotion(s); expected at least two to tell apart")
        ids = [utterance.id for utterance in kept]
        if len(set(ids)) != len(ids):
            double = next(name for name, following in pairwise(ids) if name == following)
            raise CorpusError(f"{where} has two utterances called '{double}'; expected unique names")
        contents = contents_of(kept)
        digest, audio_digest = digests_of(kept, contents, needs)
        return cls(
            name=source.shown,
            utterances=tuple(kept),
            contents=contents,
            folds=source.folds,
            merge=dict(chosen.merge),
            styles=tuple(sorted({utterance.style for utterance in kept} - {""})),
            digest=digest,
            audio_digest=audio_digest,
            names_as_written=in_effect(kept, own),
            left_out=found.left_out,
            scales=source.scales,
            origins=(Origin(source.name),),
        )


def select_utterances(
    source: CorpusSource, data: Path | None, cache: Path, subset: str | None, *, needs: Need = "emotion"
) -> Chosen:
    """Choose a subset's utterances without opening a recording.

    Args:
        source: The corpus's reader.
        data: The folder or manifest the user named.
        cache: Where a corpus that makes its own files keeps them.
        subset: A label of the source's subsets; None is the first.
        needs: Utterances without this label are left out.

    Raises:
        CorpusError: The folder is missing or empty, or a label is unknown.
        UnknownNameError: There is no such subset.
    """
    return choose(source.read(data, cache), source.subset(subset), _where(source, data), needs=needs)


def _where(source: CorpusSource, data: Path | None) -> str:
    return f"corpus {source.shown}" + (f" in {data}" if data else "")
