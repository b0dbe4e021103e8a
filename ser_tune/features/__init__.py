"""Feature sets, one a file, their cache, segments and scaling.

To add a set: a module with a `FEATURE_SET`, and its line here.
"""

from ..components import Catalogue
from .base import FeatureSet
from .entry import damage_of
from .export import SpeakerSegments, refuse_other_format, refuse_whole_utterances, segments_by_speaker, write_export
from .extraction import FEATURE_FORMAT, Extracted, Extraction, Extractor, Shards, extract_alone
from .level import active_level_db, levelled
from .normalisation import Moments, RememberedMoments, Scaling, Weighed, as_slice
from .perturbation import copies_in_words, copy_key
from .segments import SegmentPlan, frame_numbers, plan_segments, random_crops
from .store import FeatureStore, Progress, corpus_features, extract_features, open_features
from .stress import CONDITIONS, TYPICAL_CONDITIONS, Condition, Disturbance

__all__ = [
    "CONDITIONS",
    "FEATURE_FORMAT",
    "FEATURE_SETS",
    "TYPICAL_CONDITIONS",
    "Condition",
    "Disturbance",
    "Extracted",
    "Extraction",
    "Extractor",
    "FeatureSet",
    "FeatureStore",
    "Moments",
    "Progress",
    "RememberedMoments",
    "Scaling",
    "SegmentPlan",
    "Shards",
    "SpeakerSegments",
    "Weighed",
    "active_level_db",
    "as_slice",
    "copies_in_words",
    "copy_key",
    "corpus_features",
    "damage_of",
    "extract_alone",
    "extract_features",
    "frame_numbers",
    "levelled",
    "open_features",
    "plan_segments",
    "random_crops",
    "refuse_other_format",
    "refuse_whole_utterances",
    "segments_by_speaker",
    "write_export",
]

FEATURE_SETS: Catalogue[FeatureSet] = Catalogue(
    kind="feature set",
    component=FeatureSet,
    package=__name__,
    modules={
        "encoder": "encoder",
        "logmeldeltaspec": "logmeldeltaspec",
        "logmelspec": "logmelspec",
        "lognrevspec": "lognrevspec",
        "logspec": "logspec",
        "opensmile": "opensmile",
        "waveform": "waveform",
    },
    attribute="FEATURE_SET",
    group="ser_tune.features",
)
