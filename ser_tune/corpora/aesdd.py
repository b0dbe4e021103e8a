"""Acted Emotional Speech Dynamic Database: 604 utterances, 6 actors, 5 emotions, Greek.

The published `s05 (3).wav` cannot be decoded and is not among the 604.
"""

from .base import CorpusSource
from .named_layout import NamedLayout
from .selection import Subset

__all__ = ["CORPUS", "LAYOUT"]

SPEAKER_COUNTS = {"1": 100, "2": 100, "3": 98, "4": 99, "5": 107, "6": 100}
LAYOUT = NamedLayout(
    corpus="aesdd",
    # Some speakers are written 01, and a letter follows where a sentence was recorded twice
    patterns=(r"{emotion:[adfhs]}{number:\d\d} (*{speaker:[1-6]}){take:[ab]?}",),
    emotions={"a": "anger", "d": "disgust", "f": "fear", "h": "happiness", "s": "sadness"},
    holds="anger/ to sadness/",
    example="a01 (1).wav",
    languages={"": "el"},
    genders={"1": "male", "2": "female", "3": "male", "4": "female", "5": "male", "6": "female"},
)

CORPUS = CorpusSource(
    name="aesdd",
    languages=("el",),
    read=LAYOUT.read,
    citation=(
        "N. Vryzas, R. Kotsakis, A. Liatsou, C. A. Dimoulas, G. Kalliris: Speech Emotion Recognition for Performance "
        "Interaction, Journal of the Audio Engineering Society 66(6), 2018"
    ),
    licence="not stated; free to download",
    home="http://m3c.web.auth.gr/research/aesdd-speech-emotion-recognition/",
    speakers=tuple(SPEAKER_COUNTS),
    subsets={
        "all": Subset(
            "every utterance that can be decoded, five emotions, none neutral",
            emotion_counts={"anger": 121, "disgust": 122, "fear": 120, "happiness": 119, "sadness": 122},
            speaker_counts=SPEAKER_COUNTS,
        )
    },
)
