"""JL-Corpus: 2,400 utterances, 4 speakers, 5 primary and 5 secondary emotions, New Zealand English."""

from .base import CorpusSource
from .named_layout import NamedLayout
from .selection import Subset

__all__ = ["CORPUS", "LAYOUT", "PRIMARY"]

SPEAKERS = ("female1", "female2", "male1", "male2")
PRIMARY = {
    "angry": "anger",
    "excited": "excitement",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
}
SECONDARY = {
    "anxious": "anxiety",
    "apologetic": "apology",
    "assertive": "assertiveness",
    "concerned": "concern",
    "encouraging": "encouragement",
}
LAYOUT = NamedLayout(
    corpus="jl_corpus",
    patterns=(r"{speaker:(?:fe)?male[12]}_{emotion}_{number:\d+[ab]}_{take:\d}",),
    emotions=PRIMARY | SECONDARY,
    holds="JL(wav+txt)/",
    example="female1_angry_10a_1.wav",
    languages={"": "en"},
    genders={"female": "female", "male": "male"},
)

CORPUS = CorpusSource(
    name="jl_corpus",
    languages=("en",),
    read=LAYOUT.read,
    citation=(
        "J. James, L. Tian, C. I. Watson: An Open Source Emotional Speech Corpus for Human Robot Interaction "
        "Applications, Interspeech 2018"
    ),
    licence="that of its page; open, with citation",
    home="https://github.com/tli725/JL-Corpus",
    speakers=SPEAKERS,
    subsets={
        "primary": Subset(
            "five primary emotions",
            emotions=tuple(PRIMARY.values()),
            emotion_counts=dict.fromkeys(PRIMARY.values(), 240),
            speaker_counts=dict.fromkeys(SPEAKERS, 300),
        ),
        "all": Subset(
            "primary and secondary emotions",
            emotion_counts=dict.fromkeys(LAYOUT.emotions.values(), 240),
            speaker_counts=dict.fromkeys(SPEAKERS, 600),
        ),
    },
)
