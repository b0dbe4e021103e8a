"""Emotional Speech Dataset: 35,000 utterances, 20 speakers, 5 emotions, English and Mandarin."""

from .base import CorpusSource
from .named_layout import NamedLayout
from .selection import Subset

__all__ = ["CORPUS", "LAYOUT"]

SPEAKERS = tuple(f"{number:04}" for number in range(1, 21))
LAYOUT = NamedLayout(
    corpus="esd",
    patterns=(
        r"{speaker:00\d\d}/{emotion}/{number:\d{4}_\d+}",
        r"{speaker:00\d\d}/{emotion}/*/{number:\d{4}_\d+}",  # train/, evaluation/ and test/ of the first release
    ),
    emotions={"angry": "anger", "happy": "happiness", "neutral": "neutral", "sad": "sadness", "surprise": "surprise"},
    holds="0001/ to 0020/",
    example="0001/Angry/0001_000351.wav",
    languages={"000": "zh", "0010": "zh", "001": "en", "0020": "en"},
    styles={"000": "mandarin", "0010": "mandarin", "001": "english", "0020": "english"},
)
EMOTIONS = tuple(LAYOUT.emotions.values())

CORPUS = CorpusSource(
    name="esd",
    languages=("en", "zh"),
    on_request=True,
    read=LAYOUT.read,
    citation=(
        "K. Zhou, B. Sisman, R. Liu, H. Li: Emotional Voice Conversion: Theory, Databases and ESD, Speech "
        "Communication 137, 2022"
    ),
    licence="research only, after sending its owners a signed form",
    home="https://github.com/HLTSingapore/Emotional-Speech-Data",
    speakers=SPEAKERS,
    subsets={
        "all": Subset(
            "every utterance, five emotions, two languages; all 350 sentences of a language in all emotions",
            emotion_counts=dict.fromkeys(EMOTIONS, 7000),
            speaker_counts=dict.fromkeys(SPEAKERS, 1750),
        ),
        "english": Subset("speakers 0011 to 0020", styles=("english",), emotion_counts=dict.fromkeys(EMOTIONS, 3500)),
        "mandarin": Subset("speakers 0001 to 0010", styles=("mandarin",), emotion_counts=dict.fromkeys(EMOTIONS, 3500)),
    },
)
