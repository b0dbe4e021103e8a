"""The statistics of a speaker that are kept between calls: a file in the project folder, without sound or labels."""

import base64
import hashlib
import json
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock

from ..audio import Heard
from ..errors import ConfigError, StorageError

if TYPE_CHECKING:
    from ..prediction import Prediction
    from ..tracking import LoadedModel

__all__ = ["SpeakerMemory"]

Arrays = dict[str, np.ndarray]
LONGEST = 100
"""Characters of a speaker's name, which is a folder's."""
LONGEST_BYTES = 255
"""The most that the usual file systems allow in a folder's name."""


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
        speaker = unicodedata.normalize("NFC", speaker)
        if not _is_name(speaker):
            raise ConfigError(
                f"speaker is '{speaker[:LONGEST]}'; expected a name of at most {LONGEST} characters and "
                f'{LONGEST_BYTES} bytes without / \\ : * ? " < > |, line breaks, a dot at its start and spaces at its '
                "ends: it names a folder"
            )
        memory = cls(speaker, folder / speaker / f"{model.evidence_key()}.json")
        memory._read(len(model.predictors))
        return memory

    def _read(self, predictors: int) -> None:
        """Read the file as it is now; nothing is remembered where there is none."""
        self.utterances, self.before, self.digests = 0, None, []
        try:
            stored = json.loads(self.file.read_text(encoding="utf-8"))
            self.utterances, self.digests = int(stored["utterances"]), [str(each) for each in stored["sounds"]]
            self.before = [_statistics(member) for member in stored["statistics"]]
            if len(self.before) != predictors or len(self.digests) != self.utterances:
                raise ValueError
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise StorageError(
                f"what is remembered of speaker '{self.speaker}' in '{self.file}' is damaged; delete the file to "
                "begin again"
            ) from None

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
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            # Another call may have remembered more since the file was read
            with FileLock(self.file.parent.with_name(".lock")):
                self._read(len(model.predictors))
                return self._add(model)
        except OSError as error:
            raise StorageError(f"'{self.file}' cannot be written: {error.strerror or error}") from None

    def _add(self, model: "LoadedModel") -> int:
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
        partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        partial.replace(self.file)
        return len(new)


def _is_name(text: str) -> bool:
    if not text.isprintable() or set(text) & set('/\\:*?"<>|') or text.startswith("."):
        return False
    return text == text.strip() != "" and len(text) <= LONGEST and len(text.encode()) <= LONGEST_BYTES


def _digest(heard: Heard) -> str:
    return hashlib.sha256(heard.speech.tobytes()).hexdigest()[:16]


def _stored(array: np.ndarray) -> dict[str, object]:
    content = np.ascontiguousarray(array, dtype="<f4")
    return {"shape": list(content.shape), "float32": base64.b64encode(content.tobytes()).decode()}


def _statistics(stored: dict[str, dict[str, Any]]) -> Arrays:
    """Arrays of one predictor.

    Raises:
        ValueError: They are not those that `remember` writes.
    """
    found = {
        name: np.frombuffer(base64.b64decode(part["float32"], validate=True), dtype="<f4").reshape(part["shape"])
        for name, part in stored.items()
    }
    finite = all(np.isfinite(array).all() for array in found.values())
    if found["utterances"].shape != (1,) or found["mean"].shape != found["variance"].shape or not finite:
        raise ValueError
    return found
