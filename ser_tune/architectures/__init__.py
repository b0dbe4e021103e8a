"""Architectures, one a file, and their networks, which alone import torch.

To add one: a module with an `ARCHITECTURE`, and its line here.
"""

from ..components import Catalogue
from .base import BLOCK, PART, Architecture, Examples, Held, Inputs, InputShape, Rows
from .shared import Shared

__all__ = [
    "ARCHITECTURES",
    "BLOCK",
    "PART",
    "Architecture",
    "Examples",
    "Held",
    "InputShape",
    "Inputs",
    "Rows",
    "Shared",
]

ARCHITECTURES: Catalogue[Architecture] = Catalogue(
    kind="architecture",
    component=Architecture,
    package=__name__,
    modules={
        "3d_acrnn": "acrnn_3d",
        "alex_net": "alex_net",
        "attentive_probe": "attentive_probe",
        "fcn_attention": "fcn_attention",
        "fcn_gap": "fcn_gap",
        "finetuned_encoder": "finetuned_encoder",
        "light_cnn": "light_cnn",
        "linear_probe": "linear_probe",
    },
    attribute="ARCHITECTURE",
    group="ser_tune.architectures",
)
