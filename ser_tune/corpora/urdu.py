"""URDU-Dataset: 400 utterances of talk shows, 29 speakers, 4 emotions, Urdu; spontaneous speech."""

from .base import CorpusSource
from .named_layout import NamedLayout
from .selection import Subset

__all__ = ["CORPUS", "LAYOUT"]

LAYOUT = NamedLayout(
    corpus="urdu",
    patterns=(r"{speaker:S[FM]\d+}_F{number:\d+}_{emotion:[AHNS]}{n:\d+}",),
    emotions={"a": "anger", "h": "happiness", "n": "neutral", "s": "sadness"},
    holds="Angry/, Happy/, Neutral/ and Sad/",
    example="SM1_F1_A1.wav",
    languages={"": "ur"},
    genders={"sf": "female", "sm": "male"},
)
SPEAKER_COUNTS = {
    "SF1": 12,
    "SF10": 2,
    "SF11": 4,
    "SF2": 2,
    "SF3": 2,
    "SF4": 4,
    "SF5": 4,
    "SF6": 14,
    "SF7": 6,
    "SF8": 2,
    "SF9": 4,
    "SM1": 22,
    "SM17": 2,
    "SM18": 2,
    "SM19": 2,
    "SM2": 28,
    "SM20": 10,
    "SM21": 4,
    "SM22": 2,
    "SM23": 6,
    "SM24": 38,
    "SM25": 40,
    "SM26": 2,
    "SM27": 4,
    "SM3": 12,
    "SM4": 48,
    "SM5": 80,
    "SM6": 14,
    "SM7": 28,
}
"""Counted in the names of the files; the corpus's paper has 38 speakers."""

CORPUS = CorpusSource(
    name="urdu",
    languages=("ur",),
    read=LAYOUT.read,
    citation=(
        "S. Latif, A. Qayyum, M. Usman, J. Qadir: Cross Lingual Speech Emotion Recognition: Urdu vs. Western "
        "Languages, FIT 2018, arXiv 1812.10411"
    ),
    licence="research",
    home="https://github.com/siddiquelatif/URDU-Dataset",
    speakers=tuple(SPEAKER_COUNTS),
    subsets={
        "all": Subset(
            "every utterance, four emotions",
            emotion_counts=dict.fromkeys(LAYOUT.emotions.values(), 100),
            speaker_counts=SPEAKER_COUNTS,
        )
    },
)
