"""Near-identical recordings: the copies found after each change, false pairs, and the time of the search."""

import resource
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ser_tune.likeness import audio_fingerprint, near_identical, nearest
from ser_tune.protocol import load_corpus
from tests.likeness.changes import CHANGES

from .rows import Options, Row, definition, project, slope

__all__ = ["measure"]

SIZES = (6250, 12_500, 25_000, 50_000)
SOME = 4
"""Of a real corpus, one recording of so many is changed."""
EVERY = 100
"""Of a generated corpus, one recording of so many has a copy."""


def measure(options: Options) -> list[Row]:
    """Copies of every recording of a corpus after each change; then generated corpora of growing size."""
    corpus = load_corpus(definition({"model.name": "light_cnn", **options.corpus}), project(options.scratch))
    sounds = [one.speech() for one in corpus.utterances[:: 20 if options.quick else 1]]
    started, used = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor() as pool:
        originals = list(pool.map(audio_fingerprint, sounds))
        made, found = time.process_time() - used, near_identical(originals)
        rows = [
            Row(f"{corpus.name}: pairs of {len(sounds)} recordings, all different", len(found), "pairs", below=1),
            Row(f"{corpus.name}: audio fingerprints", made, "s of processor"),
            Row(f"{corpus.name}: fingerprints and search", time.perf_counter() - started, "s", below=3),
        ]
        for name, change in CHANGES.items():
            copies = list(pool.map(lambda one, change=change: audio_fingerprint(change(one)), sounds[::SOME]))
            matches = [None if one is None else one.second for one in nearest(copies, originals)]
            right = np.mean([match == SOME * number for number, match in enumerate(matches)])
            wrong = sum(match not in (SOME * number, None) for number, match in enumerate(matches))
            rows.append(Row(f"{name}: found of {len(copies)}, {wrong} wrong", float(right), "of copies"))
    return [*rows, *_growth((500, 1000) if options.quick else SIZES)]


def _growth(sizes: tuple[int, ...]) -> list[Row]:
    """Search times of generated fingerprints of 1 to 3 s; one in a hundred has a copy with 15 % of its bits flipped."""
    rng = np.random.default_rng(0)
    originals = _generated(rng, sizes[-1])
    copies = [_flipped(rng, one) for one in originals[::EVERY]]
    rows, times = [], []
    for size in sizes:
        used = time.process_time()
        found = near_identical([*originals[:size], *copies[: size // EVERY]])
        times.append(time.process_time() - used)
        share = sum(one.second - size == one.first / EVERY for one in found) / (size // EVERY)
        rows.append(Row(f"{size} recordings: search", times[-1], "s of processor"))
        rows.append(Row(f"{size} recordings: copies found", share, "of copies", at_least=0.99))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        *rows,
        Row("slope of time over recordings", slope(sizes, times), "", below=1.1),
        Row("memory at most", memory, "MB"),
    ]


def _generated(rng: np.random.Generator, count: int) -> list[np.ndarray]:
    """Bits with the correlation of neighbours that those of speech have."""
    from scipy.ndimage import uniform_filter1d

    lengths = rng.integers(62, 188, count)
    blocks = []
    for _ in range(0, lengths.sum(), 1 << 16):
        levels = rng.standard_normal(((1 << 16) + 64, 32), dtype=np.float32)
        levels = uniform_filter1d(uniform_filter1d(levels, 8, axis=0), 2, axis=1)[32:-32]
        levels -= uniform_filter1d(levels, 31, axis=0)
        levels -= uniform_filter1d(levels, 7, axis=1)
        blocks.append(np.packbits(levels > 0, axis=1, bitorder="little").view("<u4")[:, 0])
    return np.split(np.concatenate(blocks)[: lengths.sum()], np.cumsum(lengths)[:-1])


def _flipped(rng: np.random.Generator, original: np.ndarray) -> np.ndarray:
    """The same without its first 0.16 s, and with other bits."""
    flips = np.packbits(rng.random((len(original) - 10, 32)) < 0.15, axis=1).view("<u4")[:, 0]
    return original[10:] ^ flips
