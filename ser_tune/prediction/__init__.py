"""From features to emotions.

Training evaluates with the same functions, so what a study saw is what a loaded model does.
"""

from .committee import Committee, load_predictor
from .predictor import Prediction, Predictor, Recipe, SegmentPrediction
from .segments import SegmentReader, UtteranceFeatures, aggregate, scaling_of_utterances, segment_log_probabilities

__all__ = [
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
