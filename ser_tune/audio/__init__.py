"""Reading speech: from a file or its bytes to mono float32 samples at 16 kHz, with every doubt an error."""

from .reading import decode_pieces, decode_speech, length_s, read_samples, read_speech
from .speech import (
    HIGHEST_RATE_HZ,
    LARGEST_SAMPLE,
    LOWEST_RATE_HZ,
    SAMPLE_RATE_HZ,
    Heard,
    channels_cancel,
    digest_of,
    has_integer_scale,
    refuse_longer,
    share_of_mean,
    to_speech,
)

__all__ = [
    "HIGHEST_RATE_HZ",
    "LARGEST_SAMPLE",
    "LOWEST_RATE_HZ",
    "SAMPLE_RATE_HZ",
    "Heard",
    "channels_cancel",
    "decode_pieces",
    "decode_speech",
    "digest_of",
    "has_integer_scale",
    "length_s",
    "read_samples",
    "read_speech",
    "refuse_longer",
    "share_of_mean",
    "to_speech",
]
