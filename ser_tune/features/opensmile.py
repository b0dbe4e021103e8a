"""`opensmile`: openSMILE's functionals of a whole utterance, eGeMAPS or ComParE 2016."""

from functools import lru_cache
from threading import Lock, local
from typing import Annotated, Any, Literal
from weakref import finalize

import numpy as np

from ..audio import SAMPLE_RATE_HZ
from ..config import FeatureSettings, Role
from ..errors import AudioError, ConfigError
from .base import FeatureSet

__all__ = ["FEATURE_SET", "FUNCTIONALS", "OpenSmileSettings"]

FUNCTIONALS = {"eGeMAPSv02": 88, "ComParE_2016": 6373}
"""Functionals of each set."""
SHORTEST_S = 0.06
"""Both sets estimate the pitch in windows of 60 ms; openSMILE returns nothing for less speech."""
LARGEST = 1 - 2**-15
"""openSMILE is given 16-bit integers; a sample of 1 would overflow to -1."""
_OPENING = Lock()


class OpenSmileSettings(FeatureSettings):
    """Functionals of openSMILE: statistics over a whole utterance of pitch, loudness, spectrum and voice quality."""

    name: Literal["opensmile"] = "opensmile"
    """The feature set."""
    set: Annotated[Literal["eGeMAPSv02", "ComParE_2016"], Role.IDENTITY] = "eGeMAPSv02"
    """eGeMAPSv02: 88 functionals chosen by experts (Eyben et al. 2016); ComParE_2016: 6373 of brute force (Schuller et
    al. 2016, the INTERSPEECH Computational Paralinguistics Challenge)."""


def extract(speech: np.ndarray, settings: OpenSmileSettings) -> np.ndarray:
    """Functionals (1, 88 or 6373, 1), float32, of an utterance; samples beyond ±1 are clipped.

    Raises:
        AudioError: The speech is shorter than 0.06 s, or a functional of it is not finite.
        ConfigError: The package opensmile is missing.
    """
    with _OPENING:  # extraction's threads ask for it at the same time
        smile = _smile(settings.set)
    if len(speech) < round(SHORTEST_S * SAMPLE_RATE_HZ):
        raise AudioError(
            f"speech of {len(speech) / SAMPLE_RATE_HZ:.3f} s is shorter than openSMILE's window of {SHORTEST_S:.3f} s"
        )
    values = np.asarray(smile(np.clip(speech, -1, LARGEST), SAMPLE_RATE_HZ), dtype=np.float32).reshape(1, -1, 1)
    if (unusable := np.flatnonzero(~np.isfinite(values))).size:
        raise AudioError(
            f"{unusable.size} of {values.size} functionals of openSMILE are not finite, the first is "
            f"{smile.column_names[unusable[0]]}"
        )
    return values


class _Engine:
    """An engine of the library that a thread uses again: to open another takes an eighth of an utterance's time."""

    def __init__(self, opened: Any) -> None:  # noqa: ANN401 - the package has no types
        self.opened, self.is_ready = opened, True
        finalize(self, opened.free)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self.opened, name)

    def free(self) -> None:
        """Prepare for the next utterance, where the library would end the engine."""
        self.opened.reset()
        self.opened._callbacks.clear()  # the library forgot them
        self.is_ready = True


# A single object serves all threads, with an engine for each; ctypes releases the interpreter lock while one runs.
# Measured on two cores: values of all of EmoDB from eight threads equal those of one after another
@lru_cache
def _smile(name: str) -> Any:  # noqa: ANN401
    try:
        import opensmile
    except ModuleNotFoundError:
        raise ConfigError(
            "features.name opensmile needs the package opensmile; install it with pip install 'ser-tune[opensmile]'"
        ) from None
    threads = local()

    class Smile(opensmile.Smile):  # type: ignore[misc]
        __module__ = opensmile.__name__  # whose version the library looks up

        def _smile(self, options: dict[str, object]) -> Any:  # noqa: ANN401
            if "sampleRate" not in options:  # it is asked for the names of functionals
                return super()._smile(options)
            engine = getattr(threads, "engine", None)
            if engine is None or not engine.is_ready:  # the last utterance failed
                engine = threads.engine = _Engine(super()._smile(options))
            engine.is_ready = False
            return engine

    return Smile(opensmile.FeatureSet[name], opensmile.FeatureLevel.Functionals)


FEATURE_SET = FeatureSet(
    name="opensmile",
    settings=OpenSmileSettings,
    shape=lambda settings: (1, FUNCTIONALS[settings.set]),
    extract=extract,
    licence="openSMILE is licensed for research and other non-commercial use, models of its features included "
    "(audEERING Research License Agreement)",
    requirements=("opensmile",),
    defaults={"segments.frames": None, "model.layers": "all"},
    citation="F. Eyben, M. Wöllmer, B. Schuller: openSMILE, ACM Multimedia, 1459-1462, 2010; eGeMAPS: F. Eyben et al., "
    "IEEE Transactions on Affective Computing 7(2), 190-202, 2016; ComParE: B. Schuller et al., Interspeech, "
    "2001-2005, 2016",
)
