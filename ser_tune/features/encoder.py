"""`encoder`: hidden states of a pretrained speech encoder, or their mean and deviation over time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator

from ..audio import SAMPLE_RATE_HZ
from ..config import FeatureSettings, Role
from ..device import faster_precision
from ..encoders import CheckpointSettings, EncoderShape, digest_of
from ..encoders.families import FIXED_WINDOW
from ..errors import ConfigError
from .base import FeatureSet

__all__ = ["FEATURE_SET", "EncoderSettings"]


class EncoderSettings(CheckpointSettings, FeatureSettings):
    """A pretrained speech encoder, frozen, such as those of Whisper, wav2vec 2.0, WavLM and audio language models."""

    name: Literal["encoder"] = "encoder"
    """The feature set."""
    pooling: Literal["statistics", "frames"] = "statistics"
    """Values kept of an utterance: statistics, each layer's mean and standard deviation over time; frames, all."""
    layers: tuple[Annotated[int, Field(ge=0, le=200)], ...] | None = None
    """Layers to read, counted from 0, the input of the first transformer layer; none means all. With statistics all are
    cached and these are chosen on reading; with frames these alone are cached."""
    context: Literal["own", "padded"] = "own"
    """Length that the encoder reads: own, the utterance's; padded, its training window (Whisper's 30 s, the Audio
    Spectrogram Transformer's 10 s). Longer utterances are cut into pieces of 30 s, or of such a shorter window."""
    precision: Annotated[Literal["auto", "float32", "bfloat16"], Role.FIXED] = "auto"
    """Arithmetic of the encoder; auto measures once on a machine which is faster, and the study holds on to it."""

    @field_validator("layers")
    @classmethod
    def _in_order(cls, layers: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if layers is not None and not layers:
            raise ValueError("features.layers is empty; expected at least one layer, or none for all")
        return None if layers is None else tuple(sorted(set(layers)))


def _described(settings: EncoderSettings) -> EncoderShape:
    """The encoder's shape; `ConfigError` where it has no such layer, or no window to be padded to."""
    shape = settings.shape
    if settings.layers is not None and settings.layers[-1] >= shape.layers:
        raise ConfigError(
            f"features.layers has {settings.layers[-1]}; {settings.checkpoint} has the layers 0 to {shape.layers - 1}"
        )
    if settings.context == "padded" and shape.family not in FIXED_WINDOW:
        raise ConfigError(
            f"features.context is padded, but {settings.checkpoint} is a {shape.family} model, which was trained "
            "without a fixed window; expected own"
        )
    return shape


def _shape(settings: EncoderSettings) -> tuple[int, int]:
    shape = _described(settings)
    channels = shape.layers if settings.layers is None else len(settings.layers)
    return channels, shape.width * (2 if settings.pooling == "statistics" else 1)


def extract_batch(speech: Sequence[np.ndarray], settings: EncoderSettings) -> list[np.ndarray]:
    """Hidden states of several utterances: of all layers with statistics, of the chosen ones with frames.

    Returns:
        Each (L, 2 D, 1), float32: mean, then standard deviation over time; or (L, D, frames), float16.

    Raises:
        ConfigError: The checkpoint cannot be opened.
    """
    window = round(settings.shape.window_s * SAMPLE_RATE_HZ)
    pieces = [
        (number, samples[start : start + window])
        for number, samples in enumerate(speech)
        for start in range(0, len(samples), window)
    ]
    found = _read([piece for _, piece in pieces], settings)
    own = [[found[place] for place, (number, _) in enumerate(pieces) if number == each] for each in range(len(speech))]
    return [np.concatenate(parts, axis=2) if settings.pooling == "frames" else _joined(parts) for parts in own]


def _read(pieces: Sequence[np.ndarray], settings: EncoderSettings) -> list[np.ndarray]:
    """States of pieces of speech (L, D, T), or their moments (3, L, D)."""
    from ..encoders.pooling import frames_of, moments_of
    from ..encoders.readers import open_reader

    batches = open_reader(settings.folder, precision=settings.precision).read(
        pieces, padded=settings.context == "padded"
    )
    if settings.pooling == "frames":
        return frames_of(batches, settings.layers)
    return moments_of(batches)


def _joined(pieces: Sequence[np.ndarray]) -> np.ndarray:
    """From the moments of an utterance's pieces to its mean and deviation, (L, 2 D, 1), float32."""
    counts, means, variances = np.stack(pieces, axis=1)
    mean = np.average(means, axis=0, weights=counts)
    variance = np.average(variances + np.square(means - mean), axis=0, weights=counts)
    return np.concatenate([mean, np.sqrt(variance)], axis=1)[:, :, np.newaxis].astype(np.float32)


def _resolve(settings: EncoderSettings, cache: Path) -> EncoderSettings:
    """Settings with a digest and a precision; where they have both, the checkpoint need not be here."""
    if settings.digest is not None and settings.precision != "auto":
        return settings
    _described(settings)
    folder = settings.folder
    precision: str = settings.precision
    if precision == "auto":
        samples = round(min(3.0, settings.shape.window_s) * SAMPLE_RATE_HZ)
        sound = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)

        def run(arithmetic: str) -> None:
            _read([sound], settings.model_copy(update={"precision": arithmetic}))

        kind = ["encoder", settings.context, digest_of(folder)]
        precision = faster_precision(kind, run, cache / "precision")
    return settings.model_copy(update={"digest": digest_of(folder), "precision": precision})


def _key(settings: EncoderSettings) -> str:
    unread = {"checkpoint", "revision", *({"layers"} if settings.pooling == "statistics" else ())}
    return settings.model_dump_json(exclude=unread)


FEATURE_SET = FeatureSet(
    name="encoder",
    settings=EncoderSettings,
    shape=_shape,
    extract=lambda speech, settings: extract_batch([speech], settings)[0],
    extract_batch=extract_batch,
    hop_s=lambda settings: None if settings.pooling == "statistics" else _described(settings).hop_s,
    resolve=_resolve,
    key=_key,
    channels=lambda settings: settings.layers if settings.pooling == "statistics" else None,
    requirements=("transformers",),
    defaults={"segments.frames": None},
    citation="layers of a frozen encoder: S. Yang et al.: SUPERB: Speech processing Universal PERformance Benchmark, "
    "arXiv 2105.01051, 2021",
)
