"""Features of a pretrained encoder beside a plain program's."""

import time
from dataclasses import replace
from pathlib import Path

import torch

from ser_tune.audio import read_speech
from ser_tune.features import FEATURE_SETS, corpus_features
from ser_tune.protocol import load_corpus

from .rows import Options, Row, definition, project
from .ways import own_process

__all__ = ["measure"]

PLAIN_UTTERANCES = 30
"""The plain program takes a second for each, whatever its length: the whole corpus is told from so many."""


def measure(options: Options) -> list[Row]:
    """Extraction of a corpus, cold."""
    return [] if options.checkpoint is None else [_extraction(options)]


def _settings(options: Options) -> dict[str, object]:
    return {**options.corpus, "model.name": "linear_probe", "features.checkpoint": str(options.checkpoint)}


def _extraction(options: Options) -> Row:
    """Wav to statistics of all layers; both sides in full, but the plain one of some utterances, taken evenly."""
    here = project(options.scratch)
    study = definition(_settings(options)).resolved(here.cache)
    corpus = load_corpus(study, here)
    if options.quick:
        corpus = replace(corpus, utterances=corpus.utterances[:4])
    paths = [utterance.path for utterance in corpus.utterances]
    for path in paths:
        path.read_bytes()
    started = time.perf_counter()
    corpus_features(corpus, FEATURE_SETS.get("encoder"), study.config.features, here.cache / "features")
    product = time.perf_counter() - started
    some = paths[:: max(1, len(paths) // PLAIN_UTTERANCES)]
    with own_process() as plain_side:
        plain = plain_side.submit(_plain_seconds, some, options.checkpoint).result() * len(paths) / len(some)
    what = f"statistics of all layers of {corpus.name}, {study.config.features.precision}"
    return Row(what, product, "s", plain=plain, ratio=plain / product, at_least=10.0)


def _plain_seconds(paths: list[Path], checkpoint: Path) -> float:
    """What a tutorial does: one file after another, Whisper's window of 30 s, float32, mean and deviation."""
    from transformers import AutoFeatureExtractor, AutoModel

    encoder = AutoModel.from_pretrained(checkpoint).get_encoder().float().eval()
    extractor = AutoFeatureExtractor.from_pretrained(checkpoint)
    started = 0.0
    for number, path in enumerate([paths[0], *paths]):
        if number == 1:  # the first warms up
            started = time.perf_counter()
        speech = read_speech(path)
        inputs = extractor(speech, sampling_rate=16_000, return_tensors="pt").input_features
        with torch.inference_mode():
            states = torch.stack(encoder(inputs, output_hidden_states=True).hidden_states)[:, 0]
        real = states[:, : len(speech) // 320]
        torch.cat([real.mean(dim=1), real.std(dim=1)], dim=1).numpy()
    return time.perf_counter() - started
