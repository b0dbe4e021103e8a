"""A registered model on recordings: many files, a long recording, a picture of one, a microphone."""

from .batches import UNCERTAIN, Unusable, label_of, predict_files
from .files import find_files

__all__ = ["UNCERTAIN", "Unusable", "find_files", "label_of", "predict_files"]
