"""The feature cache: a corpus's features, extracted once for each setting, memory-mapped when read.

An entry is a folder named by the SHA-256 of the corpus's recordings, the feature settings, the format and the version
of the package that a plug-in's feature set is from, so a changed corpus, setting or package is another entry and
nothing is ever stale. Every perturbed copy of a corpus is an entry of its own. An entry is written beside its place,
task by task, and moved there when it is whole: a reader sees all of it or none of it. What an extraction left that was
ended, the next continues. A lock lets one of several processes extract while the others wait. A process compares
checksums when it first opens an entry; damaged utterances are extracted again.
"""

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from ..config import FeatureSettings
from ..corpora import Corpus, continued
from ..errors import StorageError
from .base import FeatureSet
from .entry import FRAMES, INDEX, MOMENTS, RECORD, Layout, damage_of, remember
from .extraction import Extracted, Extraction, Shards, extract_on_all_cores, lengths_of, similar_lengths
from .normalisation import Moments, as_slice
from .shards import PartialEntry

__all__ = [
    "FeatureStore",
    "Progress",
    "corpus_features",
    "extract_features",
    "open_features",
]

_log = logging.getLogger(__name__)
PARTIAL = ".partial"
"""Ending of the folder of an entry that is not whole yet."""
ABANDONED_S = 30 * 24 * 3600.0
"""Time after which an extraction that ended early is not expected to be continued."""
WINDOW = 2**25
"""Bytes of neighbours that are extracted in order of length where utterances have many frames: about as much is held in
memory, since such features are written in the order of the corpus. A single frame has its place from the start."""
COPIED = 64
"""Utterances that are copied from one entry to another at once."""
Progress = Callable[[int, int], None]
"""Called with the number of utterances that are done, and of all."""


@dataclass(frozen=True, slots=True)
class FeatureStore:
    """Features of every utterance of a corpus, in the corpus's order."""

    frames: np.ndarray
    """All frames one after another, shape (N, C, F), float32 or float16, memory-mapped copy-on-write."""
    offsets: np.ndarray
    """Start of each utterance, and N at the end, shape (U + 1,), int64."""
    moments: Moments
    """Moments of each utterance; stored, because reading every frame of a large corpus takes seconds."""
    sounds: tuple[str, ...] = ()
    """SHA-256 of each utterance's decoded speech, before it is perturbed: one sound has one hash in every container."""

    @property
    def lengths(self) -> np.ndarray:
        """Frames of each utterance, shape (U,)."""
        return np.diff(self.offsets)

    def utterance(self, number: int) -> Extracted:
        """The features of an utterance as they were extracted."""
        start, end = self.offsets[number : number + 2].tolist()
        return Extracted(self.frames[start:end], self.moments.only(number), self.sounds[number])

    @classmethod
    def of(cls, frames: np.ndarray, offsets: np.ndarray) -> "FeatureStore":
        """Features that are stored nowhere."""
        return cls(frames=frames, offsets=offsets, moments=Moments.of(frames, offsets))

    def channels(self, which: Sequence[int] | None) -> "FeatureStore":
        """The same with some channels alone; None is all."""
        if which is None:
            return self
        return replace(self, frames=self.frames[:, as_slice(which)], moments=self.moments.channels(which))

    @classmethod
    def open(cls, folder: Path) -> "FeatureStore":
        """Map an entry into memory.

        Raises:
            StorageError: It was damaged after `extract_features` returned its name.
        """
        if (damage := damage_of(folder)) is not None:
            raise StorageError(f"the cached features in '{folder}' {damage}; repeat the command to extract them again")
        try:
            layout = Layout.read(folder)
            index = np.fromfile(folder / INDEX, RECORD)
            total = int(index["frames"].sum())
            frames = np.memmap(folder / FRAMES, layout.dtype, mode="c", shape=(total, *layout.shape))
            offsets = np.append(index["start"], total)
            if total == len(index):
                moments = Moments.of(frames, offsets)
            else:
                stored = np.memmap(folder / MOMENTS, layout.moments, mode="c", shape=(len(index),))
                moments = Moments(index["frames"].copy(), *(stored[name] for name in layout.moments.names or ()))
            sounds = tuple(row.tobytes().hex() for row in index["sound"])
            return cls(frames=frames, offsets=offsets, moments=moments, sounds=sounds)
        except (OSError, ValueError, TypeError) as error:
            raise StorageError(
                f"the cached features in '{folder}' cannot be read ({error}); delete that folder to extract them again"
            ) from None


def corpus_features(
    corpus: Corpus,
    feature_set: FeatureSet,
    settings: FeatureSettings,
    cache: Path,
    *,
    progress: Progress | None = None,
) -> FeatureStore:
    """Features of a corpus's clean speech, from the cache or extracted; errors are of both functions below."""
    entry = extract_features(Extraction(corpus, feature_set, settings), cache, progress=progress)
    return open_features(cache, entry, feature_set, settings)


def open_features(cache: Path, entry: str, feature_set: FeatureSet, settings: FeatureSettings) -> FeatureStore:
    """Features that are in the cache.

    Args:
        cache: The folder of the feature cache.
        entry: What `extract_features` returned.
        feature_set: How they were extracted.
        settings: As for `extract_features`.

    Raises:
        StorageError: The entry cannot be read.
    """
    return FeatureStore.open(cache / entry).channels(feature_set.channels(settings))


def extract_features(
    wanted: Extraction, cache: Path, *, progress: Progress | None = None, shards: Shards | None = None
) -> str:
    """Extract features on all cores, unless they are in the cache.

    Args:
        wanted: Which features.
        cache: The folder of the feature cache.
        progress: Called after every utterance that is extracted.
        shards: Extracts a few utterances at a time elsewhere; None is on all cores here.

    Returns:
        The name of the cache's entry.

    Raises:
        AudioError: A recording or its copy cannot be used; the message names its file.
        StorageError: The cache cannot be written.
    """
    entry = cache / wanted.entry
    if damage_of(entry) is None:
        return entry.name
    partial = entry.with_suffix(PARTIAL)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{entry}.lock"):
            _remove_abandoned(cache, partial)
            damage = damage_of(entry)  # None where another process has extracted meanwhile
            if damage is not None:
                if entry.exists():
                    _log.warning("note: the cached features in '%s' %s; they are extracted again", entry, damage)
                    shutil.rmtree(partial, ignore_errors=True)
                    entry.rename(partial)
                elif partial.exists():
                    _log.warning("note: an extraction of these features ended early, and is continued")
                if wanted.corpus.wholes:
                    _compose(partial, wanted, progress, shards)
                else:
                    _fill(partial, wanted, progress, shards)
                partial.rename(entry)
                remember(entry)
    except OSError as error:
        raise StorageError(
            f"the feature cache in '{cache}' cannot be written: {error.strerror or error}; "
            "make room, and the same command continues, or set SER_TUNE_CACHE to a folder with room"
        ) from None
    return entry.name


def _remove_abandoned(cache: Path, kept: Path) -> None:
    """Remove what other extractions left that ended a month ago, such as those of a corpus that has changed since."""
    for folder in cache.glob(f"*{PARTIAL}"):
        with suppress(OSError, Timeout):  # it is another process's, or of another user
            if folder != kept and time.time() - _changed_at(folder) > ABANDONED_S:
                with FileLock(folder.with_suffix(".lock"), timeout=0):
                    shutil.rmtree(folder)


def _changed_at(folder: Path) -> float:
    """When a folder or a file of it last changed, in seconds; a folder may be empty, of a process that was killed."""
    return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))


def _fill(folder: Path, wanted: Extraction, progress: Progress | None, shards: Shards | None) -> None:
    """Extract what an entry lacks, task by task; where it has nothing, nothing is left if that fails."""
    utterances, lengths_s = wanted.corpus.utterances, lengths_of(wanted.corpus)
    run, report = shards or extract_on_all_cores, progress or (lambda done, total: None)
    hop_s = wanted.feature_set.hop_s(wanted.settings)
    entry, first, shortest = PartialEntry.continued(folder, len(utterances)), None, 0
    if entry is None:
        shortest = int(similar_lengths(lengths_s)[0][0])
        ((first,),) = run(wanted.extract, [[utterances[shortest]]])
        single = hop_s is None and len(first.frames) == 1
        entry = PartialEntry.begun(folder, first, utterances=len(utterances), single=single)
    with entry:
        if first is not None:
            entry.write([shortest], [first])
        report(done := int(np.count_nonzero(~entry.lacks)), len(utterances))
        frame_s = hop_s or entry.frame_s(lengths_s)
        _refuse_if_full(entry, lengths_s, frame_s)
        window_s = None if entry.layout.single else WINDOW / entry.layout.frame_bytes * frame_s
        tasks = [task for task in similar_lengths(lengths_s, window_s=window_s) if entry.lacks[task].any()]
        with closing(run(wanted.extract, ([utterances[number] for number in task] for task in tasks))) as results:
            for task, features in zip(tasks, results, strict=True):
                before = done
                done += int(np.count_nonzero(entry.lacks[task]))
                entry.write(task.tolist(), features)
                for number in range(before, done):
                    report(number + 1, len(utterances))
        entry.finish()


def _compose(folder: Path, wanted: Extraction, progress: Progress | None, shards: Shards | None) -> None:
    """Copy the features of a union from the entries of its corpora, which are extracted where they are missing."""
    corpus, report = wanted.corpus, progress or (lambda done, total: None)
    total, done, stores, single = sum(len(whole.utterances) for whole in corpus.wholes), 0, [], True
    for whole in corpus.wholes:
        name = extract_features(
            replace(wanted, corpus=whole),
            folder.parent,
            progress=continued(report, done, total),
            shards=shards,
        )
        stores.append(FeatureStore.open(folder.parent / name))
        single &= Layout.read(folder.parent / name).single
        done += len(whole.utterances)
    places = corpus.places.tolist()
    first = stores[places[0][0]].utterance(places[0][1])
    with PartialEntry.begun(folder, first, utterances=len(places), single=single) as entry:
        for begin in range(0, len(places), COPIED):
            numbers = range(begin, min(begin + COPIED, len(places)))
            entry.write(numbers, [stores[places[number][0]].utterance(places[number][1]) for number in numbers])
        entry.finish()


def _refuse_if_full(entry: PartialEntry, lengths_s: np.ndarray, frame_s: float) -> None:
    """Refuse to extract what would not fit on the disk.

    Raises:
        StorageError: It would not; the message has the numbers.
    """
    lacks_s = lengths_s[entry.lacks]
    frames = len(lacks_s) if entry.layout.single else lacks_s.sum() / frame_s
    needed, free = entry.layout.bytes_of(int(frames), len(lacks_s)), shutil.disk_usage(entry.folder).free
    if needed > free:
        raise StorageError(
            f"the features of {len(lacks_s)} more utterances, {lacks_s.sum() / 3600:.1f} h of speech, take about "
            f"{needed / 1e9:.1f} GB; '{entry.folder.parent}' has {free / 1e9:.1f} GB free; set SER_TUNE_CACHE to a "
            "folder with room, or choose smaller features"
        )
