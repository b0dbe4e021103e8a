"""Emotional Voices Database (EmoV-DB): about 7,000 utterances, 4 speakers, 5 emotions, English.

Its copies differ in the number of files: 7,000 by its page, 6,887 in the sorted archive.
"""

from .base import CorpusSource
from .named_layout import NamedLayout
from .selection import Subset

__all__ = ["CORPUS", "LAYOUT"]

LAYOUT = NamedLayout(
    corpus="emov_db",
    patterns=(r"{speaker}_{emotion}/*_{text:\d+}",),
    emotions={
        "amused": "amusement",
        "angry": "anger",
        "anger": "anger",
        "disgust": "disgust",
        "disgusted": "disgust",
        "neutral": "neutral",
        "sleepiness": "sleepiness",
        "sleepy": "sleepiness",
    },
    holds="bea_Amused/ and the like",
    example="bea_Amused/amused_1-15_0001.wav",
    languages={"": "en"},
    genders={"bea": "female", "jenie": "female", "josh": "male", "sam": "male"},
)

CORPUS = CorpusSource(
    name="emov_db",
    languages=("en",),
    read=LAYOUT.read,
    citation=(
        "A. Adigwe, N. Tits, K. El Haddad, S. Ostadabbas, T. Dutoit: The Emotional Voices Database: Towards "
        "Controlling the Emotion Dimension in Voice Generation Systems, arXiv 1806.09514, 2018"
    ),
    licence="its own, non-commercial purposes",
    home="https://github.com/numediart/EmoV-DB",
    speakers=("bea", "jenie", "josh", "sam"),
    subsets={
        "all": Subset(
            "every utterance, five emotions; josh has no anger and no disgust",
            all_emotions=tuple(sorted(set(LAYOUT.emotions.values()))),
        )
    },
)
