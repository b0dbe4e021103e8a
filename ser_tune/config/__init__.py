"""Every setting a user can write, each declared once. Imports no torch."""

from .adaptation_settings import AdaptationSettings, adaptation_of, together
from .base import Settings, flatten, nest, validated
from .component_settings import (
    FeatureSettings,
    LossSettings,
    ModelSettings,
    NetworkSettings,
    SpectralSettings,
    TaskSettings,
)
from .corpus_settings import UNION, CorpusPart, CorpusSettings, label_of
from .domain_settings import AlignmentSettings, BalanceSettings
from .input_settings import (
    SHORTEST_REVERBERATION_S,
    TOGETHER,
    AugmentationSettings,
    NormalisationSettings,
    PerturbationSettings,
    SegmentSettings,
)
from .leaves import Leaf, leaves, paths_with
from .model_tests import SHIPPED_TESTS, ModelTests, read_model_tests
from .ranges import Choice, FloatRange, IntRange, Range, Value, parse_range
from .roles import Flag, Role
from .study import ProtocolSettings, SearchSettings, StudyConfig, flagged_settings
from .training_settings import OPTIMIZER_DEFAULTS, OPTIMIZER_RANGES, OptimizerSettings, TrainingSettings
from .trial import AnyTrial, TrialConfig
from .written import read_yaml

__all__ = [
    "OPTIMIZER_DEFAULTS",
    "OPTIMIZER_RANGES",
    "SHIPPED_TESTS",
    "SHORTEST_REVERBERATION_S",
    "TOGETHER",
    "UNION",
    "AdaptationSettings",
    "AlignmentSettings",
    "AnyTrial",
    "AugmentationSettings",
    "BalanceSettings",
    "Choice",
    "CorpusPart",
    "CorpusSettings",
    "FeatureSettings",
    "Flag",
    "FloatRange",
    "IntRange",
    "Leaf",
    "LossSettings",
    "ModelSettings",
    "ModelTests",
    "NetworkSettings",
    "NormalisationSettings",
    "OptimizerSettings",
    "PerturbationSettings",
    "ProtocolSettings",
    "Range",
    "Role",
    "SearchSettings",
    "SegmentSettings",
    "Settings",
    "SpectralSettings",
    "StudyConfig",
    "TaskSettings",
    "TrainingSettings",
    "TrialConfig",
    "Value",
    "adaptation_of",
    "flagged_settings",
    "flatten",
    "label_of",
    "leaves",
    "nest",
    "parse_range",
    "paths_with",
    "read_model_tests",
    "read_yaml",
    "together",
    "validated",
]
