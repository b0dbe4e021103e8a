"""Architectures, one a file. To add one: a module with an `ARCHITECTURE`, and its line here."""

from ..components import Catalogue
from .base import BLOCK, Architecture, Ensemble, Examples, Inputs, InputShape, members_of
from .output_scale import scale_outputs, set_scale, set_threshold, threshold_of

__all__ = [
    "ARCHITECTURES",
    "BLOCK",
    "Architecture",
    "Ensemble",
    "Examples",
    "InputShape",
    "Inputs",
    "members_of",
    "scale_outputs",
    "set_scale",
    "set_threshold",
    "threshold_of",
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
