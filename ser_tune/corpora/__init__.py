"""Corpora, one a file. To add one: a module with a `CORPUS`, and its line here."""

from ..components import Catalogue
from .base import Archive, Corpus, CorpusSource
from .challenge import Challenge
from .check_names import nobody_in_words
from .grouping import group_names, grouped_by
from .mapping import LabelMapping, map_dimensions, map_labels
from .mapping_tables import MAPPING_TABLES
from .names import is_placeholder, name_key, nearest_name, spellings
from .origin import Origin
from .selection import LABELS, Need, Subset, plurality
from .sounds import Sounds, continued, corpus_sounds, read_sounds
from .union import UNION_NEEDS, UnionSource, union_source
from .unlabelled import read_unlabelled
from .utterance import Annotation, Utterance

__all__ = [
    "CORPORA",
    "LABELS",
    "MAPPING_TABLES",
    "UNION_NEEDS",
    "Annotation",
    "Archive",
    "Challenge",
    "Corpus",
    "CorpusSource",
    "LabelMapping",
    "Need",
    "Origin",
    "Sounds",
    "Subset",
    "UnionSource",
    "Utterance",
    "continued",
    "corpus_sounds",
    "group_names",
    "grouped_by",
    "is_placeholder",
    "map_dimensions",
    "map_labels",
    "name_key",
    "nearest_name",
    "nobody_in_words",
    "plurality",
    "read_sounds",
    "read_unlabelled",
    "spellings",
    "union_source",
]

CORPORA: Catalogue[CorpusSource] = Catalogue(
    kind="corpus",
    component=CorpusSource,
    package=__name__,
    modules={
        "aesdd": "aesdd",
        "ased": "ased",
        "cafe": "cafe",
        "cmu_mosei": "cmu_mosei",
        "crema_d": "crema_d",
        "demo": "demo",
        "emodb": "emodb",
        "emov_db": "emov_db",
        "emovo": "emovo",
        "esd": "esd",
        "iemocap": "iemocap",
        "jl_corpus": "jl_corpus",
        "manifest": "manifest",
        "meld": "meld",
        "mesd": "mesd",
        "msp_podcast": "msp_podcast",
        "nemo": "nemo",
        "ravdess": "ravdess",
        "savee": "savee",
        "shemo": "shemo",
        "subesco": "subesco",
        "tess": "tess",
        "urdu": "urdu",
    },
    attribute="CORPUS",
    group="ser_tune.corpora",
)
