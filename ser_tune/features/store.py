"""The feature cache: a corpus's features, extracted once for each setting, memory-mapped when read.

An entry is a folder named by the SHA-256 of the corpus's recordings, the feature settings, this file's format and the
version of the package that a plug-in's feature set is from, so a changed corpus, setting or package is another entry
and nothing is ever stale. Every perturbed copy of a corpus is an entry of its own. An entry is written beside its place
and renamed into it: a reader sees all of it or none of it. A lock lets one of several processes extract while the
others wait. A process compares checksums when it first opens an entry; a damaged entry is extracted again.
"""

import hashlib
import io
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
import torch
from filelock import FileLock

from ..audio import digest_of, length_s
from ..config import FeatureSettings, PerturbationSettings
from ..corpora import Corpus, Utterance
from ..device import using_threads
from ..errors import AudioError, StorageError
from .base import FeatureSet
from .checksums import damage_of, write_checksums
from .normalisation import Moments, as_slice
from .perturbation import copy_key, perturbed

__all__ = [
    "Extracted",
    "Extraction",
    "FeatureStore",
    "Progress",
    "Shards",
    "corpus_features",
    "extract_features",
    "open_features",
]

_log = logging.getLogger(__name__)
FORMAT = 6
"""Part of every entry's name; raise it when the stored values for the same settings change."""

AT_ONCE = 16
"""Largest number of utterances that a thread extracts per task: larger tasks save a tenth of the time on two cores,
because threads receive work and return results less often."""

Progress = Callable[[int, int], None]
"""Called with the number of utterances that are done, and of all."""
Shards = Callable[[Callable[[int], list["Extracted"]], Sequence[int]], Iterator[list["Extracted"]]]
"""Calls a function with each number, in threads or processes, and yields the results in order."""


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


class Extracted(NamedTuple):
    """Stored features of an utterance."""

    frames: np.ndarray
    """Shape (frames, C, F)."""
    moments: Moments
    sound: str

    @classmethod
    def of(cls, features: np.ndarray, speech: np.ndarray) -> "Extracted":
        """From features (C, F, frames) and the speech that they are of."""
        frames = np.ascontiguousarray(features.transpose(2, 0, 1))
        return cls(frames, Moments.of(frames, np.array([0, len(frames)])), digest_of(speech))


@dataclass(frozen=True, slots=True)
class Extraction:
    """Features to extract: of a corpus's clean speech, or of a perturbed copy of it."""

    corpus: Corpus
    feature_set: FeatureSet
    settings: FeatureSettings
    """As the feature set's `resolve` returns them."""
    perturbation: PerturbationSettings = field(default_factory=PerturbationSettings)
    copy: int = 0
    """Number of the perturbed copy, counted from 1; 0 is the clean speech."""

    @property
    def entry(self) -> str:
        """The cache entry's name: a hash of all that its content depends on. FORMAT covers the built-in code."""
        from . import FEATURE_SETS  # the catalogue is made after this module, which its package imports

        package = FEATURE_SETS.requirement(self.settings.name)
        key = self.feature_set.key(self.settings)
        parts = [str(FORMAT), self.corpus.audio_digest, key, package, copy_key(self.perturbation, self.copy)]
        return hashlib.sha256(" ".join(part for part in parts if part).encode()).hexdigest()[:32]

    def of(self, utterances: Sequence[Utterance]) -> list[Extracted]:
        """Extract features of some utterances.

        Raises:
            AudioError: A recording or its copy cannot be used; the message names its file.
        """
        speech = [utterance.speech() for utterance in utterances]
        sounds, features = speech, []
        if self.copy:
            sounds = []
            for utterance, clean in zip(utterances, speech, strict=True):
                with self._naming(utterance):
                    sounds.append(perturbed(clean, self.perturbation, self.copy))
        if self.feature_set.extract_batch is not None:
            features = self.feature_set.extract_batch(sounds, self.settings)
        else:
            for utterance, sound in zip(utterances, sounds, strict=True):
                with self._naming(utterance):
                    features.append(self.feature_set.extract(sound, self.settings))
        return [Extracted.of(*pair) for pair in zip(features, speech, strict=True)]

    @contextmanager
    def _naming(self, utterance: Utterance) -> Iterator[None]:
        try:
            yield
        except AudioError as error:
            copy = f", copy {self.copy}" if self.copy else ""
            raise AudioError(f"{utterance.path}{copy}: {error}") from None


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
                _write(entry, _while_they_fit(_extracted(wanted, shards), wanted.corpus, cache, progress))
    except OSError as error:
        raise StorageError(
            f"the feature cache in '{cache}' cannot be written: {error.strerror or error}; "
            "set SER_TUNE_CACHE to a folder with room"
        ) from None
    return entry.name


def _extracted(wanted: Extraction, shards: Shards | None) -> Iterator[Extracted]:
    """Extract one utterance after another."""
    from threadpoolctl import threadpool_limits  # importing it sets an environment variable

    utterances, cores = wanted.corpus.utterances, os.cpu_count() or 1

    def several(start: int) -> list[Extracted]:
        return wanted.of(utterances[start : start + at_once])

    def alone(start: int) -> list[Extracted]:
        with threadpool_limits(1, user_api="blas"), using_threads(1):
            return several(start)

    if shards is not None:
        at_once = AT_ONCE
        yield from chain.from_iterable(shards(alone, range(0, len(utterances), at_once)))
        return
    # Few enough that all cores end at about the same time
    at_once = max(1, min(AT_ONCE, len(utterances) // (4 * cores)))
    # Threads, not processes: decoding, Fourier transforms and matrix products release the interpreter lock. One a core,
    # so that products and transforms with threads of their own, which wait for one another, would take up to five times
    # as long: torch's, and numpy's in a plug-in's feature set
    pool = ThreadPoolExecutor(max_workers=cores, initializer=torch.set_num_threads, initargs=(1,))
    threads = torch.get_num_threads()
    with threadpool_limits(1, user_api="blas"):
        try:
            yield from chain.from_iterable(pool.map(several, range(0, len(utterances), at_once)))
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(threads)  # or threads that start later would take over the workers' number


def _while_they_fit(
    features: Iterable[Extracted], corpus: Corpus, cache: Path, progress: Progress | None
) -> Iterator[Extracted]:
    """Pass features on, but refuse after the first where those of the whole corpus would not fit on the disk.

    Raises:
        StorageError: They would not, to judge by the first; the message has the numbers.
    """
    for number, extracted in enumerate(features):
        if number == 0:
            lengths_s = [length_s(each.path, start_s=each.start_s, end_s=each.end_s) for each in corpus.utterances]
            share = 1 / len(lengths_s) if len(extracted.frames) == 1 else lengths_s[0] / sum(lengths_s)
            needed, free = int(extracted.frames.nbytes / share), shutil.disk_usage(cache).free
            if needed > free:
                raise StorageError(
                    f"the features of {len(lengths_s)} utterances, {sum(lengths_s) / 3600:.1f} h of speech, take about "
                    f"{needed / 1e9:.1f} GB; '{cache}' has {free / 1e9:.1f} GB free; set SER_TUNE_CACHE to a folder "
                    "with room, or choose smaller features"
                )
        yield extracted
        if progress is not None:
            progress(number + 1, len(corpus.utterances))


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
