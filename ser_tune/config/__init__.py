"""Every setting a user can write, each declared once. Imports no torch."""

from .base import Leaf, Settings, flatten, leaves, nest, validated
from .project import Project, full_disk
from .ranges import Choice, FloatRange, IntRange, Range, Value, parse_range
from .study import EXECUTION, CorpusSettings, ProtocolSettings, SearchSettings, StudyConfig
from .trial import (
    OPTIMIZER_DEFAULTS,
    OPTIMIZER_RANGES,
    SHORTEST_REVERBERATION_S,
    AugmentationSettings,
    FeatureSettings,
    LossSettings,
    ModelSettings,
    NetworkSettings,
    NormalisationSettings,
    OptimizerSettings,
    PerturbationSettings,
    SegmentSettings,
    SpectralSettings,
    TaskSettings,
    TrainingSettings,
    TrialConfig,
)
from .written import read_yaml

__all__ = [
    "EXECUTION",
    "OPTIMIZER_DEFAULTS",
    "OPTIMIZER_RANGES",
    "SHORTEST_REVERBERATION_S",
    "AugmentationSettings",
    "Choice",
    "CorpusSettings",
    "FeatureSettings",
    "FloatRange",
    "IntRange",
    "Leaf",
    "LossSettings",
    "ModelSettings",
    "NetworkSettings",
    "NormalisationSettings",
    "OptimizerSettings",
    "PerturbationSettings",
    "Project",
    "ProtocolSettings",
    "Range",
    "SearchSettings",
    "SegmentSettings",
    "Settings",
    "SpectralSettings",
    "StudyConfig",
    "TaskSettings",
    "TrainingSettings",
    "TrialConfig",
    "Value",
    "flatten",
    "full_disk",
    "leaves",
    "nest",
    "parse_range",
    "read_yaml",
    "validated",
]
