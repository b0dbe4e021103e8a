"""Networks of the architectures, one a file, and what they share. Everything here imports torch.

An architecture's settings are in its own file, so that they are read and refused before torch is imported.
"""

from .layers import Ensemble, members_of
from .output_scale import scale_of, scale_outputs, set_scale, set_threshold, threshold_of

__all__ = [
    "Ensemble",
    "members_of",
    "scale_of",
    "scale_outputs",
    "set_scale",
    "set_threshold",
    "threshold_of",
]
