"""Features of a pretrained encoder and of openSMILE beside what others would write."""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import soundfile
import torch

from ser_tune.audio import length_s, read_speech
from ser_tune.config import FeatureSettings
from ser_tune.corpora import Corpus
from ser_tune.encoders import open_encoder, states_of
from ser_tune.features import FEATURE_SETS, corpus_features
from ser_tune.protocol import load_corpus

from .hardware import Need, flops_of
from .rows import Options, Row, definition, project
from .ways import Cost, Work, compared, kept, timed

__all__ = ["measure"]

PLAIN_UTTERANCES = 30
"""The plain program takes a second for each, whatever its length: the whole corpus is told from so many."""


def measure(options: Options) -> list[Row]:
    """Extraction of a corpus, cold: states of an encoder, and openSMILE's functionals."""
    return [] if options.checkpoint is None else _extraction(options)


def _settings(options: Options) -> dict[str, object]:
    return {**options.corpus, "model.name": "linear_probe", "features.checkpoint": str(options.checkpoint)}


def _extraction(options: Options) -> list[Row]:
    """Statistics of all layers and openSMILE's functionals, from recordings; the plain way reads some of them."""
    settings = _settings(options)
    here = project(options.scratch)
    study = definition(settings).resolved(here.cache)
    corpus = load_corpus(study, here)
    if options.quick:
        corpus = replace(corpus, utterances=corpus.utterances[:4])
    paths, precision = [utterance.path for utterance in corpus.utterances], study.config.features.precision
    for path in paths:
        path.read_bytes()
    assert options.checkpoint is not None
    ways = {
        "product": partial(_product, corpus, study.config.features, here.cache),
        "plain": partial(_plain, paths, options.checkpoint),
        "skilled": partial(good_engineer, paths, options.checkpoint, precision),
    }
    what = f"statistics of all layers of {corpus.name}, {precision}"
    need = Need(_flops(paths, options.checkpoint), precision=precision)
    rows = [compared(what, ways, options, need=need, at_least=1.2)]
    features = definition(settings | {"features.checkpoint": None, "features.name": "opensmile"}).config.features
    functionals = {
        "product": partial(_product, corpus, features, here.cache),
        "skilled": partial(_own_multiprocessing, paths),
    }
    return [*rows, compared(f"eGeMAPS of {corpus.name}", functionals, options, at_least=1.0)]


def _flops(paths: Sequence[Path], checkpoint: Path) -> float:
    """Operations of the encoder for recordings, each taken to be of mean length, with 0.2 s of silence."""
    frames = round(50 * (fmean(length_s(path) for path in paths) + 0.2))
    module = open_encoder(checkpoint, torch.device("cpu")).module
    with torch.inference_mode():
        return len(paths) * flops_of(lambda: states_of(module, torch.zeros(1, module.config.num_mel_bins, 2 * frames)))


def _product(corpus: Corpus, settings: FeatureSettings, cache: Path) -> Work:
    turns = count()
    feature_set = FEATURE_SETS.get(settings.name)
    return lambda: corpus_features(corpus, feature_set, settings, cache / f"{settings.name}-{next(turns)}")


def _plain(paths: list[Path], checkpoint: Path) -> Work:
    """Extract as a tutorial does: a file after another, Whisper's window of 30 s, float32, mean and deviation."""
    from transformers import AutoFeatureExtractor, AutoModel

    encoder = AutoModel.from_pretrained(checkpoint).get_encoder().float().eval()
    extractor = AutoFeatureExtractor.from_pretrained(checkpoint)
    some = paths[:: max(1, len(paths) // PLAIN_UTTERANCES)]

    def read() -> None:
        for path in some:
            speech = read_speech(path)
            inputs = extractor(speech, sampling_rate=16_000, return_tensors="pt").input_features
            with torch.inference_mode():
                states = torch.stack(encoder(inputs, output_hidden_states=True).hidden_states)[:, 0]
            real = states[:, : len(speech) // 320]
            torch.cat([real.mean(dim=1), real.std(dim=1)], dim=1).numpy()

    def work() -> Cost:
        cost, share = timed(read), len(paths) / len(some)
        return Cost(cost.wall_s * share, cost.processor_s * share)

    return work


def good_engineer(paths: list[Path], checkpoint: Path, precision: str) -> Work:
    """Extract at the recordings' own lengths: sorted, sixteen padded to the longest, in a process a core.

    It is given what the product does not do: a batch is padded with silence that all its recordings attend to, and all
    arithmetic is of the precision.
    """
    cores = os.cpu_count() or 1
    opening = (checkpoint, precision)
    pool = kept(
        ProcessPoolExecutor(cores, mp_context=get_context("spawn"), initializer=_open_encoder, initargs=opening)
    )
    lengths = {path: soundfile.info(path).frames for path in paths}
    order = sorted(paths, key=lengths.__getitem__)
    batches = [order[start : start + 16] for start in range(0, len(order), 16)]
    return lambda: list(pool.map(_read_batch, batches))


_opened: dict[str, Any] = {}


def _open_encoder(checkpoint: Path, precision: str) -> None:
    from transformers import WhisperFeatureExtractor, WhisperModel

    torch.set_num_threads(1)
    encoder = WhisperModel.from_pretrained(checkpoint, dtype=getattr(torch, precision)).get_encoder().eval()
    _opened.update(encoder=encoder, positions=encoder.embed_positions.weight)
    _opened.update(extractor=WhisperFeatureExtractor.from_pretrained(checkpoint))


@torch.inference_mode()
def _read_batch(paths: Sequence[Path]) -> list[np.ndarray]:
    encoder, positions = _opened["encoder"], _opened["positions"]
    speech = [soundfile.read(path, dtype="float32")[0] for path in paths]
    frames = -(-(max(map(len, speech)) + 3200) // 320)
    filled = [np.pad(samples, (0, 320 * frames - len(samples))) for samples in speech]
    inputs = _opened["extractor"](filled, sampling_rate=16_000, padding="longest", return_tensors="pt").input_features
    # Whisper refuses another length than that of its positions
    encoder.config.max_source_positions = encoder.max_source_positions = frames
    encoder.embed_positions.weight = torch.nn.Parameter(positions[:frames], requires_grad=False)
    encoder.embed_positions.num_embeddings = frames
    states = torch.stack(encoder(inputs.to(positions.dtype), output_hidden_states=True).hidden_states, dim=1)
    found = []
    for samples, layers in zip(speech, states, strict=True):
        real = layers[:, : len(samples) // 320].float()
        found.append(torch.cat([real.mean(dim=1), real.std(dim=1, correction=0)], dim=1).numpy())
    return found


def _own_multiprocessing(paths: list[Path]) -> Work:
    """Extract eGeMAPS with the package's own processes, a core each."""
    import opensmile

    smile = opensmile.Smile(
        opensmile.FeatureSet.eGeMAPSv02,
        opensmile.FeatureLevel.Functionals,
        num_workers=os.cpu_count(),
        multiprocessing=True,
    )
    return lambda: smile.process_files([str(path) for path in paths])
