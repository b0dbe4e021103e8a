"""nEMO: 4,481 utterances, 9 actors, 6 emotions, 90 sentences, Polish."""

from .base import CorpusSource
from .named_layout import NamedLayout
from .selection import Subset

__all__ = ["CORPUS", "LAYOUT"]

LAYOUT = NamedLayout(
    corpus="nemo",
    patterns=(r"{speaker}_{emotion}_{text:\d+}",),
    emotions={
        "anger": "anger",
        "fear": "fear",
        "happiness": "happiness",
        "neutral": "neutral",
        "sadness": "sadness",
        "surprised": "surprise",
    },
    holds="samples/",
    example="EB0_anger_1.wav",
    languages={"": "pl"},
)

CORPUS = CorpusSource(
    name="nemo",
    languages=("pl",),
    read=LAYOUT.read,
    citation="I. Christop: nEMO: Dataset of Emotional Speech in Polish, LREC-COLING 2024, arXiv 2404.06292",
    licence="CC BY-NC-SA 4.0",
    home="https://github.com/amu-cai/nEMO",
    subsets={"all": Subset("every utterance, six emotions", all_emotions=tuple(LAYOUT.emotions.values()), total=4481)},
)
