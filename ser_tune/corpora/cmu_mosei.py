"""CMU-MOSEI: 23,453 sentences of 1,000 speakers on YouTube; sentiment and the strength of six emotions, English.

Three annotators rated each sentence: sentiment from -3 to 3, each emotion from 0 (absent) to 3. Who speaks in which
video is not published, so videos are the speakers: the same person may be on two sides of a fold. The owners' lists of
training, validation and test videos are part of their SDK and are not read.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import CorpusError
from .base import CorpusSource
from .folder import corpus_folder, subfolder
from .published_table import PublishedTable
from .selection import Subset
from .utterance import Annotation, Utterance, normalised_text

__all__ = ["CORPUS", "EMOTIONS"]

EMOTIONS = {
    "anger": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happiness": "happiness",
    "sadness": "sadness",
    "surprise": "surprise",
}
"""Column `Answer.NAME` to the emotion."""
SENTIMENT = "sentiment"
LOWEST, HIGHEST, STRONGEST = -3.0, 3.0, 3.0
_KEYS = ("Input.VIDEO_ID", "Input.CLIP")
_COLUMNS = (*_KEYS, f"Answer.{SENTIMENT}", *(f"Answer.{name}" for name in EMOTIONS))
_SEPARATOR = "___"

Key = tuple[str, str]
"""Video, and the number of the sentence in it."""


@dataclass(frozen=True, slots=True)
class _Rating:
    """The ratings of an annotator; NaN where one was left out."""

    sentiment: float
    strengths: tuple[float, ...]
    """In the order of `EMOTIONS`."""


def read(data: Path | None, cache: Path) -> Sequence[Utterance]:
    """Read the sentences that have ratings, times and sound.

    Args:
        data: The corpus's folder `Raw/`, or the folder above it. Ratings are in the tables of `Labels/`, times and
            words in `Transcript/Segmented/Combined/VIDEO.txt`, sound in `Audio/Full/WAV_16000/VIDEO.wav`.
        cache: Not used; every reader is handed it.

    Returns:
        Sentences called `VIDEO_CLIP`. The emotion is the strongest of the mean ratings, empty where several are equally
        strong or none was heard; `Annotation.emotions` are those that any annotator heard.

    Raises:
        CorpusError: A folder is missing, a table or a line is not as described, or no sentence has all of it.
    """
    folder = corpus_folder("cmu_mosei", data, "Labels/, Transcript/ and Audio/")
    raw = subfolder(folder, "Raw") or folder
    labels, transcripts = _inside(raw, "Labels"), _inside(raw, "Transcript", "Segmented", "Combined")
    sounds = _inside(raw, "Audio", "Full", "WAV_16000")
    recordings = {path.stem: path for path in sounds.iterdir() if path.suffix.lower() == ".wav"}
    ratings = _ratings(labels)
    utterances = [
        _utterance((video, clip), path, times, words, ratings[video, clip])
        for video, path in sorted(recordings.items())
        for clip, times, words in _sentences(transcripts / f"{video}.txt")
        if (video, clip) in ratings
    ]
    if not utterances:
        raise CorpusError(
            f"corpus cmu_mosei: no sentence of the tables in '{labels}' has a line in '{transcripts}' and a recording "
            f"in '{sounds}'; expected such as VIDEO.txt and VIDEO.wav"
        )
    return utterances


def _inside(folder: Path, *names: str) -> Path:
    """Descend, whatever the case of the folders' names."""
    for name in names:
        found = subfolder(folder, name)
        if found is None:
            raise CorpusError(f"corpus cmu_mosei: no folder '{name}' in '{folder}'; expected Labels, Transcript, Audio")
        folder = found
    return folder


def _ratings(labels: Path) -> Mapping[Key, list[_Rating]]:
    """The ratings of every sentence, of the tables that have them."""
    ratings: dict[Key, list[_Rating]] = defaultdict(list)
    tables = [PublishedTable(path) for path in sorted(labels.glob("*.csv")) if path.name[0] != "."]
    rated = [table for table in tables if set(_COLUMNS) <= set(table.columns)]
    if not rated:
        raise CorpusError(f"corpus cmu_mosei: no table in '{labels}' has the columns {', '.join(_COLUMNS)}")
    for table in rated:
        for number, (video, clip, sentiment, *strengths) in table.rows(*_COLUMNS):
            where = f"{table.file}, line {number}"
            ratings[video.strip(), clip.strip()].append(
                _Rating(
                    _number(sentiment, SENTIMENT, LOWEST, HIGHEST, where),
                    tuple(
                        _number(cell, name, 0.0, STRONGEST, where)
                        for name, cell in zip(EMOTIONS, strengths, strict=True)
                    ),
                )
            )
    return ratings


def _number(cell: str, name: str, lowest: float, highest: float, where: str) -> float:
    """A rating; NaN where the cell is empty.

    Raises:
        CorpusError: It is no number of the scale.
    """
    if not cell.strip():
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.inf
    if not lowest <= value <= highest:
        raise CorpusError(f"{where}: '{name}' is '{cell}'; expected a number from {lowest:g} to {highest:g}")
    return value


def _sentences(file: Path) -> Iterator[tuple[str, tuple[float, float], str]]:
    """The number, start and end in seconds, and words of each sentence of a video; none where it has no transcript.

    Raises:
        CorpusError: A line is not as described.
    """
    if not file.is_file():
        return
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            clip, start, end, words = line.removeprefix(f"{file.stem}{_SEPARATOR}").split(_SEPARATOR, 3)
            times = float(start), float(end)
        except ValueError:
            raise CorpusError(f"{file}, line {number}: '{line}' is not VIDEO___CLIP___START___END___WORDS") from None
        yield clip, times, words


def _utterance(key: Key, path: Path, times: tuple[float, float], words: str, ratings: Sequence[_Rating]) -> Utterance:
    means = [_mean([own.strengths[place] for own in ratings]) for place in range(len(EMOTIONS))]
    strongest = max((mean for mean in means if mean > 0), default=0.0)
    winners = [name for name, mean in zip(EMOTIONS.values(), means, strict=True) if 0 < mean == strongest]
    heard = {name: sum(own.strengths[place] > 0 for own in ratings) for place, name in enumerate(EMOTIONS.values())}
    sentiment = _mean([own.sentiment for own in ratings])
    rated = not math.isnan(sentiment)
    return Utterance(
        id="_".join(key),
        path=path,
        speaker=key[0],
        emotion=winners[0] if len(winners) == 1 else "",
        start_s=times[0],
        end_s=times[1],
        text=normalised_text(words),
        annotation=Annotation(
            votes=tuple(sorted((name, count) for name, count in heard.items() if count)),
            emotions=tuple(sorted(name for name, count in heard.items() if count)),
            dimensions=((SENTIMENT, sentiment),) if rated else (),
            ratings=tuple((own.sentiment,) for own in ratings) if rated else (),
            annotators=len(ratings),
        ),
        language="en",
    )


def _mean(values: Sequence[float]) -> float:
    """The mean of the ratings that were given; NaN without any."""
    given = [value for value in values if not math.isnan(value)]
    return sum(given) / len(given) if given else math.nan


CORPUS = CorpusSource(
    name="cmu_mosei",
    languages=("en",),
    read=read,
    citation=(
        "A. Zadeh, P. P. Liang, S. Poria, E. Cambria, L.-P. Morency: Multimodal Language Analysis in the Wild: "
        "CMU-MOSEI Dataset and Interpretable Dynamic Fusion Graph, ACL 2018"
    ),
    licence="that of its page; speech of videos of YouTube",
    home="http://multicomp.cs.cmu.edu/resources/cmu-mosei-dataset/",
    subsets={
        "strongest": Subset(
            "the emotion with the highest mean rating, ties and sentences without emotion left out",
            all_emotions=tuple(EMOTIONS.values()),
        ),
        "several": Subset("emotions that any annotator heard", defaults={"task.name": "multilabel"}),
        "dimensions": Subset("sentiment, from -3 to 3", defaults={"task.name": "dimensions"}),
    },
    scales={SENTIMENT: (LOWEST, HIGHEST)},
)
