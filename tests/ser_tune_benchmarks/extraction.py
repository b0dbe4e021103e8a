"""Features of a whole corpus, cold: the feature cache, on all cores, beside one librosa call after another."""

import time
from dataclasses import replace

import numpy as np

from ser_tune.corpora import Corpus
from ser_tune.features import FEATURE_SETS, corpus_features
from ser_tune.protocol import load_corpus

from .plain import own_process, seconds_to_extract
from .rows import Options, Row, definition, project

__all__ = ["measure"]

GOAL = 1.9
# Whatever the recordings: emodb has no settings of its own, but the demo corpus's frames are twice as far apart
SETTINGS: dict[str, object] = {"model.name": "3d_acrnn", "corpus.name": "emodb"}
MELS = {"logspec": None, "logmelspec": 128, "logmeldeltaspec": 40, "lognrevspec": None}


def measure(options: Options) -> list[Row]:
    """Every feature set, with the same frames and bands on both sides; the recordings are in the page cache."""
    corpus = _corpus(options)
    paths = [one.path for one in corpus.utterances]
    for path in paths:
        path.read_bytes()
    rows = []
    for name, mels in MELS.items():
        feature_set = FEATURE_SETS.get(name)
        settings = definition({**SETTINGS, "features.name": name, "features.n_mels": mels}).config
        times: dict[str, list[float]] = {"plain": [], "product": []}
        with own_process() as plain_side:
            for attempt in range(1 if options.quick else 5):
                folder = options.scratch / f"{name}-{attempt}"
                folder.mkdir()
                times["plain"].append(plain_side.submit(seconds_to_extract, paths, name, folder).result())
                started = time.perf_counter()
                store = corpus_features(corpus, feature_set, settings.features, folder)
                times["product"].append(time.perf_counter() - started)
                same = store.frames.size == sum(np.load(file).size for file in folder.glob("*.npy"))
                assert same, f"{name}: the two sides extract different numbers of values"
        plain, product = min(times["plain"]), min(times["product"])
        rows.append(Row(f"{name} of {corpus.name}", product, "s", plain=plain, ratio=plain / product, at_least=GOAL))
    return rows


def _corpus(options: Options) -> Corpus:
    corpus = load_corpus(definition({**SETTINGS, **options.corpus}), project(options.scratch))
    return replace(corpus, utterances=corpus.utterances[:20]) if options.quick else corpus
