"""Pretrained speech encoders: found on disk or on the hub, described, opened and run."""

from .catalogue import CHECKPOINTS, Checkpoint, find_checkpoint, short_name
from .checkpoint import Encoder, EncoderShape, digest_of, open_encoder
from .families import FAMILIES
from .source import CheckpointSettings, FindEncoder, encoders_among, relocated
from .states import states_of

__all__ = [
    "CHECKPOINTS",
    "FAMILIES",
    "Checkpoint",
    "CheckpointSettings",
    "Encoder",
    "EncoderShape",
    "FindEncoder",
    "digest_of",
    "encoders_among",
    "find_checkpoint",
    "open_encoder",
    "relocated",
    "short_name",
    "states_of",
]
