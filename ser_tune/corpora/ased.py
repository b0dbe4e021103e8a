"""Amharic Speech Emotion Dataset: 2,474 utterances, 65 speakers, 5 emotions.

Each speaker was asked for five sentences of every emotion that occur in no other emotion, and for two that occur in
all: the words tell most emotions.
"""

from .base import CorpusSource
from .named_layout import NamedLayout
from .selection import Subset

__all__ = ["CORPUS", "LAYOUT"]

LAYOUT = NamedLayout(
    corpus="ased",
    patterns=(r"{emotion:[afhns]}{folder:\d}-{text:\d\d}-{take:\d\d}-{gender:0[12]}-{speaker:\d\d}",),
    emotions={"a": "anger", "f": "fear", "h": "happiness", "n": "neutral", "s": "sadness"},
    holds="the folders of the five emotions",
    example="a5-03-01-02-50.wav",
    languages={"": "am"},
    genders={"01": "female", "02": "male"},
    text_of_emotion=True,
)

CORPUS = CorpusSource(
    name="ased",
    languages=("am",),
    read=LAYOUT.read,
    citation=(
        "E. A. Retta, E. Almekhlafi, R. Sutcliffe, M. Mhamed, H. Ali, J. Feng: A New Amharic Speech Emotion Dataset "
        "and Classification Benchmark, ACM Transactions on Asian and Low-Resource Language Information Processing "
        "22(1), 2023"
    ),
    licence="not stated; free to download",
    home="https://github.com/Ethio2021/ASED_V1",
    subsets={"all": Subset("every utterance, five emotions", all_emotions=tuple(LAYOUT.emotions.values()), total=2474)},
)
