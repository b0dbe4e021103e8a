"""Canadian French Emotional speech dataset (CaFE): 936 utterances, 12 actors, 7 emotions, 6 sentences, French."""

from .base import CorpusSource
from .named_layout import NamedLayout
from .selection import Subset

__all__ = ["CORPUS", "LAYOUT"]

SPEAKERS = tuple(f"{number:02}" for number in range(1, 13))
LAYOUT = NamedLayout(
    corpus="cafe",
    patterns=(r"{speaker:\d\d}-{emotion}-{style:[12]}-{text:\d}",),
    emotions={
        "c": "anger",
        "d": "disgust",
        "j": "happiness",
        "n": "neutral",
        "p": "fear",
        "s": "surprise",
        "t": "sadness",
    },
    holds="its folders of emotions, such as Colère/",
    example="01-C-1-1.wav",
    languages={"": "fr"},
    genders={speaker: "male" if int(speaker) % 2 else "female" for speaker in SPEAKERS},
    styles={"1": "mild", "2": "strong"},
)

CORPUS = CorpusSource(
    name="cafe",
    languages=("fr",),
    read=LAYOUT.read,
    citation=(
        "P. Gournay, O. Lahaie, R. Lefebvre: A Canadian French Emotional Speech Dataset, ACM Multimedia Systems, 2018"
    ),
    licence="that of its page; academic and research use",
    home="https://zenodo.org/record/1478765",
    speakers=SPEAKERS,
    subsets={
        "all": Subset(
            "every utterance, seven emotions, six of them mild and strong; all sentences in all emotions",
            emotion_counts={emotion: 72 if emotion == "neutral" else 144 for emotion in LAYOUT.emotions.values()},
            speaker_counts=dict.fromkeys(SPEAKERS, 78),
        )
    },
)
