"""EMOVO: 588 utterances, 6 actors, 7 emotions, 14 sentences, Italian."""

from .base import CorpusSource
from .named_layout import NamedLayout
from .selection import Subset

__all__ = ["CORPUS", "LAYOUT"]

SPEAKERS = ("f1", "f2", "f3", "m1", "m2", "m3")
LAYOUT = NamedLayout(
    corpus="emovo",
    patterns=("{emotion}-{speaker}-{text}",),
    emotions={
        "dis": "disgust",
        "gio": "happiness",
        "neu": "neutral",
        "pau": "fear",
        "rab": "anger",
        "sor": "surprise",
        "tri": "sadness",
    },
    holds="f1/ to m3/",
    example="dis-f1-b1.wav",
    languages={"": "it"},
    genders={"f": "female", "m": "male"},
)

CORPUS = CorpusSource(
    name="emovo",
    languages=("it",),
    read=LAYOUT.read,
    citation=(
        "G. Costantini, I. Iaderola, A. Paoloni, M. Todisco: EMOVO Corpus: an Italian Emotional Speech Database, "
        "LREC 2014"
    ),
    licence="not stated; free for research",
    home="http://voice.fub.it/activities/corpora/emovo/index.html",
    speakers=SPEAKERS,
    subsets={
        "all": Subset(
            "every utterance, seven emotions; all sentences in all emotions",
            emotion_counts=dict.fromkeys(LAYOUT.emotions.values(), 84),
            speaker_counts=dict.fromkeys(SPEAKERS, 98),
        )
    },
)
