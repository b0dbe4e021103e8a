"""From features to emotions.

Training evaluates with the same functions, so what a study saw is what a loaded model does.
"""

from .committee import ENCODERS, Committee, load_predictor
from .predictor import Prediction, Predictor, SegmentPrediction
from .recipe import Recipe
from .segments import SegmentReader, UtteranceFeatures, aggregate, scaling_of_utterances, segment_log_probabilities

__all__ = [
    "ENCODERS",
    "Committee",
    "Prediction",
    "Predictor",
    "Recipe",
    "SegmentPrediction",
    "SegmentReader",
    "UtteranceFeatures",
    "aggregate",
    "load_predictor",
    "scaling_of_utterances",
    "segment_log_probabilities",
]
