"""SUST Bangla Emotional Speech Corpus (SUBESCO): 7,000 utterances, 20 actors, 7 emotions, 10 sentences, Bangla."""

from .base import CorpusSource
from .named_layout import NamedLayout
from .selection import Subset

__all__ = ["CORPUS", "LAYOUT"]

SPEAKERS = tuple(f"{gender}_{number:02}" for gender in "FM" for number in range(1, 11))
LAYOUT = NamedLayout(
    corpus="subesco",
    patterns=(r"{speaker:[FM]_\d\d}_{name}_S_{text:\d+}_{emotion}_{take:\d+}",),
    emotions={
        "angry": "anger",
        "anger": "anger",
        "disgust": "disgust",
        "fear": "fear",
        "happy": "happiness",
        "happiness": "happiness",
        "neutral": "neutral",
        "sad": "sadness",
        "sadness": "sadness",
        "surprise": "surprise",
    },
    holds="its recordings",
    example="F_02_MONIKA_S_1_NEUTRAL_5.wav",
    languages={"": "bn"},
    genders={"f": "female", "m": "male"},
)

CORPUS = CorpusSource(
    name="subesco",
    languages=("bn",),
    read=LAYOUT.read,
    citation=(
        "S. Sultana, M. S. Rahman, M. R. Selim, M. Z. Iqbal: SUST Bangla Emotional Speech Corpus (SUBESCO), PLoS ONE "
        "16(4), 2021"
    ),
    licence="CC BY 4.0",
    home="https://zenodo.org/records/4526477",
    speakers=SPEAKERS,
    subsets={
        "all": Subset(
            "every utterance, seven emotions; all sentences in all emotions",
            emotion_counts=dict.fromkeys(sorted(set(LAYOUT.emotions.values())), 1000),
            speaker_counts=dict.fromkeys(SPEAKERS, 350),
        )
    },
)
