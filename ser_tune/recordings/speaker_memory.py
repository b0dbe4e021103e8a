"""The statistics of a speaker that are kept between calls: a file in the project folder, without sound or labels."""

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..audio import Heard
from ..errors import ConfigError, StorageError

if TYPE_CHECKING:
    from ..prediction import Prediction
    from ..tracking import LoadedModel

__all__ = ["SpeakerMemory"]

Arrays = dict[str, np.ndarray]
LONGEST = 100
"""Characters of a speaker's name, which is a folder's."""


@dataclass(slots=True)
class SpeakerMemory:
    """Statistics of one speaker for a model, of this call and of remembered ones."""

    speaker: str
    file: Path
    utterances: int = 0
    """Remembered recordings."""
    before: list[Arrays] | None = None
    """Arrays of each predictor; None where nothing is remembered."""
    digests: list[str] = field(default_factory=list)
    """Sounds that are remembered, so that none counts twice."""
    _heard: list[Heard] = field(default_factory=list)

    @classmethod
    def open(cls, model: "LoadedModel", speaker: str, folder: Path) -> "SpeakerMemory":
        """Read what is remembered of a speaker for a model.

        Args:
            model: Loaded; models of one front end and adaptation share what is remembered, where that is possible.
            speaker: A name that can be a folder's.
            folder: Of all speakers.

        Raises:
            ConfigError: The name cannot be a folder's, or the model does not adapt to speakers.
            StorageError: The file is damaged.
        """
        if not speaker.strip() or speaker.startswith(".") or len(speaker) > LONGEST or not _is_name(speaker):
            raise ConfigError(
                f"speaker is '{speaker[:LONGEST]}'; expected a name of at most {LONGEST} characters without slashes, "
                "line breaks and a dot at its start: it names a folder"
            )
        memory = cls(speaker, folder / speaker / f"{model.evidence_key()}.json")
        if memory.file.exists():
            try:
                memory._read(json.loads(memory.file.read_text(encoding="utf-8")))
            except (OSError, ValueError, KeyError, TypeError, binascii.Error):
                raise StorageError(
                    f"what is remembered of speaker '{speaker}' in '{memory.file}' is damaged; delete the file to "
                    "begin again"
                ) from None
        return memory

    def _read(self, stored: dict[str, Any]) -> None:
        self.utterances, self.digests = int(stored["utterances"]), list(stored["sounds"])
        self.before = [
            {name: _array(part["shape"], part["float32"]) for name, part in member.items()}
            for member in stored["statistics"]
        ]

    def predict(self, model: "LoadedModel", heard: Sequence[Heard]) -> "list[Prediction]":
        """Predict recordings of the speaker, with all that is remembered."""
        found, _ = model.predict_speaker(heard, self.before)
        self._heard = list(heard)
        return found

    @property
    def basis(self) -> str:
        """The dependence of the predictions on other recordings.

        `transductive` where others of the same call adapt the model, `causal` where only earlier ones do, `alone` where
        none does.
        """
        if len(self._heard) > 1:
            return "transductive"
        return "causal" if self.before is not None else "alone"

    def remember(self, model: "LoadedModel") -> int:
        """Keep the statistics of the predicted recordings, without those that are remembered already.

        Returns:
            How many recordings are new.

        Raises:
            StorageError: The file cannot be written.
        """
        new = {digest: heard for heard in self._heard if (digest := _digest(heard)) not in self.digests}
        if not new:
            return 0
        _, arrays = model.predict_speaker(list(new.values()), self.before)
        self.utterances, self.digests = self.utterances + len(new), [*self.digests, *new]
        content = {
            "speaker": self.speaker,
            "utterances": self.utterances,
            "adaptation": model.recipe.adaptation.kind,
            "remembered": datetime.now(UTC).isoformat(timespec="seconds"),
            "note": "statistics of features, without sound, words or labels; delete this file to forget the speaker",
            "sounds": self.digests,
            "statistics": [{name: _stored(array) for name, array in member.items()} for member in arrays],
        }
        partial = self.file.with_suffix(f".{os.getpid()}.partial")
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            partial.replace(self.file)
        except OSError as error:
            raise StorageError(f"'{self.file}' cannot be written: {error.strerror or error}") from None
        return len(new)


def _is_name(text: str) -> bool:
    return text.isprintable() and not set(text) & set('/\\:*?"<>|')


def _digest(heard: Heard) -> str:
    return hashlib.sha256(heard.speech.tobytes()).hexdigest()[:16]


def _stored(array: np.ndarray) -> dict[str, object]:
    content = np.ascontiguousarray(array, dtype="<f4")
    return {"shape": list(content.shape), "float32": base64.b64encode(content.tobytes()).decode()}


def _array(shape: Sequence[int], text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").reshape(shape)
