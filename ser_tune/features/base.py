"""The object that every feature set defines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..config import FeatureSettings, Value

__all__ = ["FeatureSet"]


def _all_settings(settings: FeatureSettings) -> str:
    return settings.model_dump_json()


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """A way to turn speech into features; every module of this room defines one as `FEATURE_SET`."""

    name: str
    settings: type[FeatureSettings]
    shape: Callable[[Any], tuple[int, int]]
    """From the settings to C and F of the segments (C, F, T)."""
    extract: Callable[[np.ndarray, Any], np.ndarray]
    """From speech (N,), 16 kHz, and the settings to features (C, F, frames), float32 or float16; raises `AudioError` if
    the speech is too short."""
    citation: str
    hop_s: Callable[[Any], float | None] = lambda settings: None
    """From the settings to the seconds from one frame to the next; None where an utterance is a single frame."""
    extract_batch: Callable[[Sequence[np.ndarray], Any], list[np.ndarray]] | None = None
    """The same of several utterances at once, where that is faster; None extracts them one after another."""
    resolve: Callable[[Any, Path], Any] = lambda settings, cache: settings
    """From the settings and the cache folder to settings that leave nothing open."""
    key: Callable[[Any], str] = _all_settings
    """From resolved settings to a name of all that extracted features depend on besides the speech."""
    channels: Callable[[Any], Sequence[int] | None] = lambda settings: None
    """From the settings to the channels that are read of those extracted; None reads all."""
    licence: str = ""
    """Terms of the program that extracts, where they restrict its use."""
    requirements: tuple[str, ...] = ()
    """Packages that extraction imports and the base installation lacks."""
    defaults: Mapping[str, Value] = field(default_factory=dict)
    """Settings of other sections that belong to these features: dotted path to value."""
