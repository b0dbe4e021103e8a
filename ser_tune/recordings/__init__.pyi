"""A registered model on recordings: many files, a long recording, a picture of one, a microphone."""

from .batches import UNCERTAIN, Unusable, label_of, predict_files, stated_sets, within
from .curves import draw_timeline
from .files import find_files
from .live import Change, follow
from .microphone import Microphone
from .picture import draw_utterance
from .speaker_memory import SpeakerMemory
from .speech import SpeechDetector
from .submission import Submission, prepare_submission
from .timeline import Passage, Timeline, audacity_labels, rttm, timeline_of

__all__ = [
    "UNCERTAIN",
    "Change",
    "Microphone",
    "Passage",
    "SpeakerMemory",
    "SpeechDetector",
    "Submission",
    "Timeline",
    "Unusable",
    "audacity_labels",
    "draw_timeline",
    "draw_utterance",
    "find_files",
    "follow",
    "label_of",
    "predict_files",
    "prepare_submission",
    "rttm",
    "stated_sets",
    "timeline_of",
    "within",
]
