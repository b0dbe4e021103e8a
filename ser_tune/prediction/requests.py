"""Audio in rows of a table, the input of a loaded model and of a server: a path, base64 text, or a waveform.

A server's requests are not trusted: paths and lengths are limited by environment variables.
"""

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..audio import (
    HIGHEST_RATE_HZ,
    LOWEST_RATE_HZ,
    SAMPLE_RATE_HZ,
    Heard,
    decode_speech,
    refuse_longer,
    to_speech,
)
from ..errors import AudioError

__all__ = ["ALLOW_PATHS", "ERROR_RATE", "MAX_SECONDS", "hear_rows"]

ALLOW_PATHS = "SER_TUNE_ALLOW_PATHS"
"""Environment variable of a server: folders, separated as in PATH, whose files requests may name."""
ERROR_RATE = "SER_TUNE_ERROR_RATE"
"""Environment variable of a server: the error rate of the prediction sets in its answers."""
MAX_SECONDS = "SER_TUNE_MAX_SECONDS"
"""Environment variable of a server: seconds of sound that one request may hold."""
SERVING = "_MLFLOW_IS_IN_SERVING_ENVIRONMENT"
"""Environment variable that MLflow's scoring server sets."""


def hear_rows(rows: Sequence[Mapping[str, Any]]) -> list[Heard]:
    """Decode the utterances of a table.

    Args:
        rows: Of each row `path`, a sound file; or `audio`, the content of a sound file in base64; or `waveform` and
            `sample_rate_hz`.

    Raises:
        AudioError: There are no rows, or one cannot be used or is not allowed; the message names it.
    """
    if not rows:
        raise AudioError(
            "no audio given; pass a table with a column 'path' or 'audio', or with 'waveform' and 'sample_rate_hz'"
        )
    limit = os.environ.get(MAX_SECONDS)
    left_s = None if limit is None else float(limit)
    heard = []
    for number, row in enumerate(rows):
        heard.append(_hear(row, f"row {number}", left_s))
        if left_s is not None:
            left_s = max(0.0, left_s - len(heard[-1].speech) / SAMPLE_RATE_HZ)
    return heard


def _hear(row: Mapping[str, Any], where: str, left_s: float | None) -> Heard:
    path, audio, waveform, rate = (row.get(name) for name in ("path", "audio", "waveform", "sample_rate_hz"))
    if isinstance(path, str):
        source = f"{where}: {path}"
        return Heard(source, decode_speech(_allowed(path, where), source=source, at_most_s=left_s))
    if isinstance(audio, str):
        source = f"{where}: 'audio'"
        try:
            content = base64.b64decode("".join(audio.split()), validate=True)
        except (binascii.Error, ValueError):
            raise AudioError(f"{source} is not base64; expected the content of a sound file") from None
        return Heard(source, decode_speech(content, source=source, at_most_s=left_s))
    if waveform is None or np.ndim(waveform) == 0 or rate is None or np.isnan(rate):  # pandas fills gaps with NaN
        raise AudioError(f"{where} has neither 'path' nor 'audio' nor both 'waveform' and 'sample_rate_hz'")
    source, samples = f"{where}: 'waveform'", np.asarray(waveform)
    if isinstance(rate, (bool, np.bool_)) or not LOWEST_RATE_HZ <= rate <= HIGHEST_RATE_HZ:
        raise AudioError(f"{source} has sample rate {rate}; expected {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz")
    refuse_longer(len(samples), samples.size // max(len(samples), 1), int(rate), left_s, source)
    return Heard(source, to_speech(samples, int(rate), source=source))


def _allowed(path: str, where: str) -> Path:
    """A file that may be read: any in a program of its user's; in a server, one below its allowed folders.

    Raises:
        AudioError: It may not be read, whether it exists or not.
    """
    folders = os.environ.get(ALLOW_PATHS)
    if folders is None and os.environ.get(SERVING) != "true":
        return Path(path)
    allowed = [Path(folder).resolve() for folder in (folders or "").split(os.pathsep) if folder]
    if not allowed:
        raise AudioError(f"{where}: this server reads no files of its machine; send 'audio' or 'waveform'")
    try:
        file = Path(path).resolve()
    except (OSError, ValueError, RuntimeError):  # a null byte, a loop of links
        file = None
    if file is None or not any(file.is_relative_to(folder) for folder in allowed):
        raise AudioError(f"{where}: '{path}' is not below a folder whose files this server may read")
    return file
