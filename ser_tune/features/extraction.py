"""Extraction of a corpus's features: the order of its utterances, and the threads that extract them."""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple

import numpy as np

from ..audio import digest_of, length_s
from ..config import FeatureSettings, PerturbationSettings
from ..corpora import Corpus, Utterance
from ..device import pick_device, using_threads
from ..errors import AudioError
from .base import FeatureSet
from .level import levelled
from .normalisation import Moments
from .perturbation import copy_key, perturbed

__all__ = [
    "FEATURE_FORMAT",
    "Extracted",
    "Extraction",
    "Extractor",
    "Shards",
    "extract_alone",
    "extract_on_all_cores",
    "lengths_of",
    "similar_lengths",
]

FEATURE_FORMAT = 8
"""Part of every entry's name, and recorded with every run; raise it when the values for the same settings change."""

AT_ONCE = 16
"""Largest number of utterances of a task: larger tasks save a tenth of the time on two cores, because threads receive
work and return results less often."""
TASKS = 64
"""Number of tasks below which a small corpus is cut into smaller ones, so that all cores end at about the same time.
It is no function of the cores: an utterance's features would depend in the last bit on the machine."""
SPEECH_S = 64.0
"""Most speech of a task, in seconds: bounds the memory of a batch. A longer utterance is a task of its own."""
SIMILAR = 0.75
"""The shortest utterance of a task, relative to the longest; what a batch is padded by is bounded by it."""

_feeding = Lock()
"""Held by the thread that runs a network on the accelerator; the others decode meanwhile."""


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
class Extractor:
    """Extracts the features of some utterances; it has no corpus, and can be sent to another machine."""

    feature_set: FeatureSet
    settings: FeatureSettings
    perturbation: PerturbationSettings
    copy: int

    @property
    def feeds_device(self) -> bool:
        """Whether it runs a network on batches, on an accelerator where there is any."""
        return self.feature_set.extract_batch is not None

    def __call__(self, utterances: Sequence[Utterance]) -> list[Extracted]:
        """The features of a task.

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
        sounds = [levelled(sound, self.settings) for sound in sounds]
        if self.feature_set.extract_batch is not None:
            with nullcontext() if pick_device("auto").type == "cpu" else _feeding:
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


Shards = Callable[[Extractor, Iterable[Sequence[Utterance]]], Generator[list[Extracted], None, None]]
"""Extracts tasks, in threads or processes, and yields the results in order."""


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
        """The cache entry's name: a hash of all that its content depends on; FEATURE_FORMAT for built-in code."""
        from . import FEATURE_SETS  # the catalogue is made after this module, which its package imports

        package = FEATURE_SETS.requirement(self.settings.name)
        key = self.feature_set.key(self.settings)
        parts = [str(FEATURE_FORMAT), self.corpus.audio_digest, key, package, copy_key(self.perturbation, self.copy)]
        return hashlib.sha256(" ".join(part for part in parts if part).encode()).hexdigest()[:32]

    @property
    def extract(self) -> Extractor:
        """The part that extracts any utterances."""
        return Extractor(self.feature_set, self.settings, self.perturbation, self.copy)


def lengths_of(corpus: Corpus) -> np.ndarray:
    """Seconds of each utterance by its file's header, shape (U,); 0 where a file cannot be opened."""

    def of(utterance: Utterance) -> float:
        return length_s(utterance.path, start_s=utterance.start_s, end_s=utterance.end_s)

    with ThreadPoolExecutor() as pool:
        return np.array(list(pool.map(of, corpus.utterances)))


def similar_lengths(lengths_s: np.ndarray, *, window_s: float | None = None) -> list[np.ndarray]:
    """Group utterances into tasks of similar length, over the whole corpus, the longest first.

    The very first task is the shortest utterance: a recording that is too short, or cannot be opened, fails at once.

    Args:
        lengths_s: Seconds of each utterance, shape (U,).
        window_s: Group neighbours in the corpus alone, of so much speech; None groups all utterances.

    Returns:
        Numbers of the utterances of each task; every utterance is in a single task.

    >>> [task.tolist() for task in similar_lengths(np.array([1.0, 9.0, 1.1, 8.0]))]
    [[0], [1], [3], [2]]
    """
    at_once = max(1, min(AT_ONCE, len(lengths_s) // TASKS))
    shortest = int(lengths_s.argmin())
    others = np.delete(np.arange(len(lengths_s)), shortest)
    window = np.zeros(len(others)) if window_s is None else np.cumsum(lengths_s[others]) // window_s
    order = others[np.lexsort((-lengths_s[others], window))].tolist()
    window = np.sort(window)
    tasks, begin = [np.array([shortest])], 0
    for end in range(1, len(order) + 1):
        longest = lengths_s[order[begin]]
        is_full = end - begin == at_once or (end - begin + 1) * longest > SPEECH_S
        if end == len(order) or is_full or window[end] > window[begin] or lengths_s[order[end]] < SIMILAR * longest:
            tasks.append(np.array(order[begin:end]))
            begin = end
    return tasks


def extract_on_all_cores(
    extract: Extractor, tasks: Iterable[Sequence[Utterance]]
) -> Generator[list[Extracted], None, None]:
    """Extract tasks in threads, one a core; as `Shards`.

    Threads, not processes: decoding, Fourier transforms and matrix products release the interpreter lock. Each computes
    on a single core, so that products and transforms with threads of their own, which wait for one another, would take
    up to five times as long: torch's, and numpy's in a plug-in's feature set. On two cores an encoder takes 1.35 times
    the processor time with a single thread that uses both. An accelerator is fed by one thread at a time.
    """
    import torch
    from threadpoolctl import threadpool_limits  # importing it sets an environment variable

    cores = os.cpu_count() or 1
    pool = ThreadPoolExecutor(max_workers=cores, initializer=torch.set_num_threads, initargs=(1,))
    threads, waiting = torch.get_num_threads(), deque[Future[list[Extracted]]]()
    with threadpool_limits(1, user_api="blas"):
        try:
            for task in tasks:
                waiting.append(pool.submit(extract, task))
                if len(waiting) == 2 * cores:  # results must not pile up
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(threads)  # or threads that start later would take over the workers' number


def extract_alone(extract: Extractor, task: Sequence[Utterance]) -> list[Extracted]:
    """Extract a task in a process that shares its machine with others: on a single core."""
    from threadpoolctl import threadpool_limits  # importing it sets an environment variable

    with threadpool_limits(1, user_api="blas"), using_threads(1):
        return extract(task)
