"""From features to predictions.

Training evaluates with the same functions, so a loaded model predicts as it did in its study.
"""

from ..audio import Heard
from ..tasks import read_prediction_sets
from .adaptation import batch_norms
from .committee import ENCODERS, Committee, load_predictor
from .conditions import features_in, has_features_in, utterance_features
from .predicted_utterance import Prediction, SegmentPrediction
from .predictor import Predictor, hear
from .prototypes import Prototypes, speaker_ratios
from .recipe import Recipe
from .requests import ALLOW_PATHS, ERROR_RATE, MAX_SECONDS, SERVING, hear_rows
from .segments import MeanReader, SegmentReader, UtteranceFeatures, scaling_of_utterances, segment_outputs
from .speaker_adaptation import AdaptedNetwork, Evidence
from .speaker_sets import Draw, SpeakerSets

__all__ = [
    "ALLOW_PATHS",
    "ENCODERS",
    "ERROR_RATE",
    "MAX_SECONDS",
    "SERVING",
    "AdaptedNetwork",
    "Committee",
    "Draw",
    "Evidence",
    "Heard",
    "MeanReader",
    "Prediction",
    "Predictor",
    "Prototypes",
    "Recipe",
    "SegmentPrediction",
    "SegmentReader",
    "SpeakerSets",
    "UtteranceFeatures",
    "batch_norms",
    "features_in",
    "has_features_in",
    "hear",
    "hear_rows",
    "load_predictor",
    "read_prediction_sets",
    "scaling_of_utterances",
    "segment_outputs",
    "speaker_ratios",
    "utterance_features",
]
