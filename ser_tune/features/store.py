"""The feature cache: a corpus's features, extracted once for each setting, memory-mapped when read.

An entry is a folder named by the SHA-256 of the corpus's recordings, the feature settings, this file's format and the
version of the package that a plug-in's feature set is from, so a changed corpus, setting or package is another entry
and nothing is ever stale. Every perturbed copy of a corpus is an entry of its own. An entry is written beside its place
and renamed into it: a reader sees all of it or none of it. A lock lets one of several processes extract while the
others wait. A process compares checksums when it first opens an entry; a damaged entry is extracted again.
"""

import io
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from filelock import FileLock

from ..config import FeatureSettings
from ..corpora import Corpus
from ..errors import StorageError
from .base import FeatureSet
from .checksums import damage_of, write_checksums
from .extraction import Extracted, Extraction, Shards, extract_on_all_cores, lengths_of, similar_lengths
from .normalisation import Moments, as_slice

__all__ = [
    "FeatureStore",
    "Progress",
    "corpus_features",
    "extract_features",
    "open_features",
]

_log = logging.getLogger(__name__)
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
            meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
            frames = np.memmap(folder / "frames.bin", dtype=meta["dtype"], mode="c", shape=tuple(meta["shape"]))
            offsets = np.load(folder / "offsets.npy")
            if len(frames) == len(offsets) - 1:
                moments = Moments.of(frames, offsets)
            else:  # not np.load of the path, which leaves a damaged archive open
                moments = Moments(**np.load(io.BytesIO((folder / "moments.npz").read_bytes())))
            return cls(frames=frames, offsets=offsets, moments=moments, sounds=tuple(meta["sounds"]))
        except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
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
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{entry}.lock"):
            damage = damage_of(entry)  # None where another process has extracted meanwhile
            if damage is not None:
                if entry.exists():
                    _log.warning("note: the cached features in '%s' %s; they are extracted again", entry, damage)
                lengths_s = lengths_of(wanted.corpus)
                features = _while_they_fit(_extracted(wanted, lengths_s, shards), lengths_s, cache, progress)
                _write(entry, _in_order(features))
    except OSError as error:
        raise StorageError(
            f"the feature cache in '{cache}' cannot be written: {error.strerror or error}; "
            "set SER_TUNE_CACHE to a folder with room"
        ) from None
    return entry.name


def _extracted(wanted: Extraction, lengths_s: np.ndarray, shards: Shards | None) -> Iterator[tuple[int, Extracted]]:
    """Extract utterances in order of length, and yield them with their numbers."""
    tasks = similar_lengths(lengths_s)
    utterances = wanted.corpus.utterances
    results = (shards or extract_on_all_cores)(wanted.extract, ([utterances[n] for n in task] for task in tasks))
    for task, extracted in zip(tasks, results, strict=True):
        yield from zip(task.tolist(), extracted, strict=True)


def _while_they_fit(
    features: Iterable[tuple[int, Extracted]], lengths_s: np.ndarray, cache: Path, progress: Progress | None
) -> Iterator[tuple[int, Extracted]]:
    """Pass features on, but refuse after the first where those of the whole corpus would not fit on the disk.

    Raises:
        StorageError: They would not, to judge by the first; the message has the numbers.
    """
    for done, (number, extracted) in enumerate(features, 1):
        if done == 1:
            share = 1 / len(lengths_s) if len(extracted.frames) == 1 else lengths_s[number] / lengths_s.sum()
            needed, free = int(extracted.frames.nbytes / share), shutil.disk_usage(cache).free
            if needed > free:
                raise StorageError(
                    f"the features of {len(lengths_s)} utterances, {lengths_s.sum() / 3600:.1f} h of speech, take "
                    f"about {needed / 1e9:.1f} GB; '{cache}' has {free / 1e9:.1f} GB free; set SER_TUNE_CACHE to a "
                    "folder with room, or choose smaller features"
                )
        yield number, extracted
        if progress is not None:
            progress(done, len(lengths_s))


def _in_order(features: Iterable[tuple[int, Extracted]]) -> Iterator[Extracted]:
    """Features in the order of the corpus."""
    held: dict[int, Extracted] = {}
    following = 0
    for number, extracted in features:
        held[number] = extracted
        while following in held:
            yield held.pop(following)
            following += 1


def _write(entry: Path, features: Iterable[Extracted]) -> None:
    """Stream features to disk, then move them to their place in one step; a damaged entry there is removed."""
    with tempfile.TemporaryDirectory(prefix=f"{entry.name}.", dir=entry.parent) as scratch:
        partial = Path(scratch) / entry.name  # others may read it, unlike the folder that tempfile makes
        partial.mkdir()
        offsets, moments, sounds = [0], [], []
        # Not ndarray.tofile, nor np.save to a file, which uses it: both are silent when the disk is full
        with (partial / "frames.bin").open("wb") as file:
            for extracted in features:
                file.write(extracted.frames.data)
                offsets.append(offsets[-1] + len(extracted.frames))
                moments.append(extracted.moments)
                sounds.append(extracted.sound)
        saved = io.BytesIO()
        np.save(saved, np.array(offsets, dtype=np.int64))
        (partial / "offsets.npy").write_bytes(saved.getvalue())
        if offsets[-1] != len(sounds):  # where every utterance has one frame, the frames are their own moments
            saved = io.BytesIO()
            np.savez(saved, **asdict(Moments.joined(moments)))
            (partial / "moments.npz").write_bytes(saved.getvalue())
        meta = {
            "shape": [offsets[-1], *extracted.frames.shape[1:]],
            "dtype": str(extracted.frames.dtype),
            "sounds": sounds,
        }
        (partial / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
        write_checksums(partial)
        if entry.exists():
            entry.rename(Path(scratch) / "damaged")
        partial.rename(entry)
