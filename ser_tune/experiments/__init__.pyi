"""Experiments on studies: nested evaluation, confirmation, ablation, ensembles, reproduction and replay."""

from .ablate import Ablated, ablate, variant
from .combine import Combination, combine
from .confirm import Candidate, Confirmation, confirm
from .nested import can_be_nested, run_nested
from .replay import Replay, replay
from .reproduce import MARGIN, Obtained, Reproduction, reproduce

__all__ = [
    "MARGIN",
    "Ablated",
    "Candidate",
    "Combination",
    "Confirmation",
    "Obtained",
    "Replay",
    "Reproduction",
    "ablate",
    "can_be_nested",
    "combine",
    "confirm",
    "replay",
    "reproduce",
    "run_nested",
    "variant",
]
