"""Corpora whose file names are their labels: a pattern, and the meaning of its codes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import CorpusError
from .folder import corpus_folder, read_recordings
from .name_pattern import NamePattern
from .utterance import Utterance

__all__ = ["NamedLayout"]

ENDINGS = (".wav", ".flac", ".aif", ".aiff")
"""Endings of recordings: corpora come as WAV, and are often kept as FLAC."""


@dataclass(frozen=True, slots=True)
class NamedLayout:
    """A corpus whose labels are in the names of its files and folders; `read` is its reader.

    Codes match in any case. Files that are no recordings are left out.
    """

    corpus: str
    """The corpus's name."""
    patterns: tuple[str, ...]
    """Patterns of paths, the first that matches counts. Fields that are read: `speaker`, `emotion`, `text`, `gender`,
    `style`; a text of further fields is part of the utterance's name alone."""
    emotions: Mapping[str, str]
    """Code of an emotion, in small letters, to the emotion."""
    holds: str
    """The content of the right folder, in words."""
    example: str
    """A file name."""
    languages: Mapping[str, str]
    """Start of a speaker's name, in small letters, to the ISO 639 code of the language; an empty start is of any."""
    genders: Mapping[str, str] = field(default_factory=dict)
    """Code of a gender, in small letters, to the gender: of the field `gender`, or of the start of a speaker's name."""
    styles: Mapping[str, str] = field(default_factory=dict)
    """Code of a style: of the field `style`, or of the start of a speaker's name."""
    text_of_emotion: bool = False
    """Whether a text's number counts within its emotion: then emotion and number are the key of the words."""

    def read(self, data: Path | None, cache: Path) -> Sequence[Utterance]:
        """Read the recordings, however deep they lie.

        Args:
            data: The folder that the user named.
            cache: Not used; every reader is handed it.

        Raises:
            CorpusError: The folder is missing or has no recordings, a name does not follow the scheme, or two
                recordings of one name differ.
        """
        folder = corpus_folder(self.corpus, data, self.holds)
        patterns = [NamePattern(pattern) for pattern in self.patterns]
        return read_recordings(
            self.corpus, folder, lambda path: self._utterance(path, patterns), example=self.example, endings=ENDINGS
        )

    def _utterance(self, path: Path, patterns: Sequence[NamePattern]) -> Utterance:
        absolute = path.absolute()  # folders' names count where --data is relative
        found = next((fields for pattern in patterns if (fields := pattern.parse(absolute)) is not None), None)
        if found is None:
            raise CorpusError(f"{path}: '{path.name}' does not follow {' or '.join(self.patterns)}")
        code, speaker = found["emotion"].casefold(), found["speaker"]
        if code not in self.emotions:
            raise CorpusError(
                f"{path}: unknown emotion '{found['emotion']}'; expected one of {', '.join(self.emotions)}"
            )
        emotion = self.emotions[code]
        gender, style = (
            codes.get(found.get(name, "").casefold()) or _of_start(codes, speaker)
            for name, codes in (("gender", self.genders), ("style", self.styles))
        )
        text = found.get("text", "").casefold()
        return Utterance(
            id=path.stem if "/" not in patterns[0].text else f"{speaker}_{emotion}_{path.stem}",
            path=path,
            speaker=speaker,
            emotion=emotion,
            style=style,
            text=f"{code}{text}" if text and self.text_of_emotion else text,
            attributes=(("gender", gender),) if gender else (),
            language=_of_start(self.languages, speaker),
        )


def _of_start(values: Mapping[str, str], name: str) -> str:
    """The value of the longest start of a name that is listed; empty where none is."""
    starts = sorted((start for start in values if name.casefold().startswith(start)), key=len)
    return values[starts[-1]] if starts else ""
