"""Features of a whole corpus, cold: the feature cache on all cores, beside librosa in one process and in several."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import starmap
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ser_tune.corpora import Corpus
from ser_tune.features import FEATURE_SETS, corpus_features
from ser_tune.protocol import load_corpus

from .librosa_features import extract
from .rows import Options, Row, definition, project
from .ways import Work, compared, kept

__all__ = ["measure"]

# Whatever the recordings: emodb has no settings of its own, but the demo corpus's frames are twice as far apart
SETTINGS: dict[str, object] = {"model.name": "3d_acrnn", "corpus.name": "emodb"}
MELS = {"logspec": None, "logmelspec": 128, "logmeldeltaspec": 40, "lognrevspec": None}


def measure(options: Options) -> list[Row]:
    """Every feature set, with the same frames and bands in all ways; the recordings are in the page cache."""
    corpus = _corpus(options)
    paths = [utterance.path for utterance in corpus.utterances]
    for path in paths:
        path.read_bytes()
    rows = []
    for name in MELS:
        folder = options.scratch / name
        folder.mkdir()
        ways = {
            "product": partial(_product, corpus, name, folder),
            "plain": partial(_librosa, paths, name, folder, 1),
            "skilled": partial(_librosa, paths, name, folder, os.cpu_count() or 1),
        }
        rows.append(compared(f"{name} of {corpus.name}", ways, options, at_least=1.2))
    return rows


def _corpus(options: Options) -> Corpus:
    corpus = load_corpus(definition({**SETTINGS, **options.corpus}), project(options.scratch))
    return replace(corpus, utterances=corpus.utterances[:20]) if options.quick else corpus


def _product(corpus: Corpus, name: str, scratch: Path) -> Work:
    """An empty feature cache, filled."""
    settings = definition({**SETTINGS, "features.name": name, "features.n_mels": MELS[name]}).config.features

    def work() -> None:
        store = corpus_features(corpus, FEATURE_SETS.get(name), settings, Path(tempfile.mkdtemp(dir=scratch)))
        plain = sum(np.load(file).size for file in scratch.glob("plain-*.npy"))
        assert plain in (0, store.frames.size), f"{name}: the ways extract different numbers of values"

    return work


def _librosa(paths: Sequence[Path], name: str, scratch: Path, processes: int) -> Work:
    """One librosa call after another, each recording to a file of its own; in so many processes."""
    files = [scratch / f"{'plain' if processes == 1 else 'skilled'}-{number}.npy" for number in range(len(paths))]
    tasks = [(path, name, file) for path, file in zip(paths, files, strict=True)]
    if processes == 1:
        return lambda: list(starmap(_to_file, tasks))
    pool = kept(get_context("fork").Pool(processes))
    return lambda: pool.starmap(_to_file, tasks, chunksize=8)


def _to_file(recording: Path, name: str, file: Path) -> None:
    np.save(file, extract(recording, name))
