"""Mexican Emotional Speech Database (MESD): about 864 words, 6 emotions, Spanish.

A file's name has the kind of voice, of women, men or children, and not the speaker: the kind is the speaker here, so
that no speaker is on two sides of a fold. Words of corpus A occur in every emotion, those of corpus B in one.
"""

from .base import CorpusSource
from .named_layout import NamedLayout
from .selection import Subset

__all__ = ["CORPUS", "LAYOUT"]

LAYOUT = NamedLayout(
    corpus="mesd",
    patterns=("{emotion}_{speaker:[CFM]}_{set:[AB]}_{text}",),
    emotions={emotion: emotion for emotion in ("anger", "disgust", "fear", "happiness", "neutral", "sadness")},
    holds="its recordings",
    example="Anger_C_A_abajo.wav",
    languages={"": "es"},
    genders={"f": "female", "m": "male"},
)

CORPUS = CorpusSource(
    name="mesd",
    languages=("es",),
    read=LAYOUT.read,
    citation=(
        "M. M. Duville, L. M. Alonso-Valerdi, D. I. Ibarra-Zarate: The Mexican Emotional Speech Database (MESD): "
        "elaboration and assessment based on machine learning, EMBC 2021"
    ),
    licence="that of its page",
    home="https://data.mendeley.com/datasets/cy34mh68j9/5",
    speakers=("C", "F", "M"),
    subsets={
        "all": Subset("every word, six emotions, three kinds of voice", all_emotions=tuple(LAYOUT.emotions.values()))
    },
)
