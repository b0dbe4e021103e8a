"""Sharif Emotional Speech Database (ShEMO): 3,000 utterances of radio plays, 87 speakers, 6 emotions, Persian."""

from .base import CorpusSource
from .named_layout import NamedLayout
from .selection import Subset

__all__ = ["CORPUS", "LAYOUT"]

LAYOUT = NamedLayout(
    corpus="shemo",
    patterns=(r"{speaker:[FM]\d\d}{emotion:[AFHNSW]}{number:\d\d+}",),
    emotions={"a": "anger", "f": "fear", "h": "happiness", "n": "neutral", "s": "sadness", "w": "surprise"},
    holds="female/ and male/",
    example="F01A01.wav",
    languages={"": "fa"},
    genders={"f": "female", "m": "male"},
)

CORPUS = CorpusSource(
    name="shemo",
    languages=("fa",),
    read=LAYOUT.read,
    citation=(
        "O. Mohamad Nezami, P. Jamshid Lou, M. Karami: ShEMO: a large-scale validated database for Persian speech "
        "emotion detection, Language Resources and Evaluation 53(1), 2019"
    ),
    licence="academic use, free of charge",
    home="https://github.com/mansourehk/ShEMO",
    subsets={
        "all": Subset(
            "every utterance, six emotions of twelve annotators' majority",
            all_emotions=tuple(LAYOUT.emotions.values()),
            total=3000,
        )
    },
)
