"""Multimodal EmotionLines Dataset (MELD): 13,708 utterances of the series Friends, 7 emotions, English.

Its owners' training, validation and test sides share the main characters, so they are not read: speakers are folded.
Clips are MP4 files, whose sound has to be extracted first: `ffmpeg -i dia0_utt0.mp4 dia0_utt0.wav`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import CorpusError
from .base import CorpusSource
from .folder import corpus_folder, near_recordings, subfolder
from .names import name_key
from .published_table import PublishedTable
from .selection import Subset
from .utterance import Utterance, normalised_text

__all__ = ["CORPUS", "EMOTIONS", "EMOTION_COUNTS"]

EMOTIONS = {
    "anger": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "joy": "happiness",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprise": "surprise",
}
EMOTION_COUNTS = {
    "anger": 1607,
    "disgust": 361,
    "fear": 358,
    "happiness": 2308,
    "neutral": 6436,
    "sadness": 1002,
    "surprise": 1636,
}
SIDES = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
"""The start of a table's name to the folder of its clips, which may lie in a folder of that start."""
ENDINGS = (".wav", ".flac")


def read(data: Path | None, cache: Path) -> Sequence[Utterance]:
    """Read the owners' tables, `train_sent_emo.csv` and the like, and the sound of their clips, `dia0_utt0.wav`.

    Rows without a clip are left out; `corpus check` counts what is missing. Several spellings of a speaker are one.

    Args:
        data: The corpus's root, with the tables and the folders `train_splits/`, `dev_splits_complete/` and
            `output_repeated_splits_test/`.
        cache: Not used; every reader is handed it.

    Raises:
        CorpusError: The folder is missing or has no such table, a table is not as described, or no clip is there.
    """
    folder = corpus_folder("meld", data, "train_sent_emo.csv and train_splits/")
    utterances = [
        utterance
        for side, place in SIDES.items()
        if (table := near_recordings(folder, (f"{side}_sent_emo.csv", f"{side}/{side}_sent_emo.csv"))) is not None
        for utterance in _of_side(table, side, _clips(folder, side, place))
    ]
    usual: dict[str, str] = {}
    for name, _ in Counter(sorted(utterance.speaker for utterance in utterances)).most_common():
        usual.setdefault(name_key(name), name)
    if not utterances:
        raise CorpusError(
            f"corpus meld: no clips of its tables in '{folder}'; expected train_sent_emo.csv and sound such as "
            "train_splits/dia0_utt0.wav (ffmpeg -i dia0_utt0.mp4 dia0_utt0.wav)"
        )
    return [replace(utterance, speaker=usual[name_key(utterance.speaker)]) for utterance in utterances]


def _clips(folder: Path, side: str, place: str) -> Mapping[str, Path]:
    """The sound of a side's clips, by their names without ending."""
    inside = subfolder(folder, side)
    found = subfolder(folder, place) or (inside and subfolder(inside, place)) or inside
    if found is None:
        return {}
    return {path.stem: path for path in found.iterdir() if path.suffix.lower() in ENDINGS and path.name[0] != "."}


def _of_side(table: Path, side: str, clips: Mapping[str, Path]) -> Iterator[Utterance]:
    columns = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")
    for number, (words, speaker, emotion, dialogue, place) in PublishedTable(table).rows(*columns):
        if emotion not in EMOTIONS:
            raise CorpusError(
                f"{table}, line {number}: unknown emotion '{emotion}'; expected one of {', '.join(EMOTIONS)}"
            )
        clip = clips.get(f"dia{dialogue}_utt{place}")
        if clip is not None:
            yield Utterance(
                id=f"{side}_{clip.stem}",
                path=clip,
                speaker=speaker.strip(),
                emotion=EMOTIONS[emotion],
                text=normalised_text(words),
                language="en",
            )


CORPUS = CorpusSource(
    name="meld",
    languages=("en",),
    read=read,
    citation=(
        "S. Poria, D. Hazarika, N. Majumder, G. Naik, E. Cambria, R. Mihalcea: MELD: A Multimodal Multi-Party Dataset "
        "for Emotion Recognition in Conversations, ACL 2019, arXiv 1810.02508"
    ),
    licence="that of its page; clips of a television series",
    home="https://affective-meld.github.io",
    subsets={"all": Subset("every utterance, seven emotions", emotion_counts=EMOTION_COUNTS)},
)
