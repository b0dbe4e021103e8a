"""The recordings that a version was trained on, as digests and audio fingerprints: `evaluate` refuses them."""

import csv
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mlflow.entities.model_registry import ModelVersion

from ..corpora import Sounds, corpus_sounds
from ..protocol import Prepared
from ..tracking import Workspace

__all__ = ["REFIT_TAG", "TrainingSounds", "log_training_sounds", "read_training_sounds"]

REFIT_TAG = "ser_tune.refit_of"
"""On a version with one network for all speakers: the model of the folds that it stems from."""
FOLDS_FILE, REFIT_FILE = "training_sounds.csv", "refit_training_sounds.csv"
FINGERPRINTS = ".fingerprints"
"""Ending of the file beside it, with the audio fingerprints in the same order."""


@dataclass(frozen=True, slots=True)
class TrainingSounds:
    """The recordings that a version's networks were trained or validated on."""

    digests: Mapping[str, str]
    """From the digest of decoded sound to the name of the utterance."""
    names: tuple[str, ...]
    """All utterances."""
    sounds: Sounds | None
    """In the order of the names; None where the audio fingerprints are gone."""


def log_training_sounds(workspace: Workspace, run_id: str, prepared: Prepared, *, refit: bool) -> None:
    """Store the utterances that a version's networks were trained or validated on, and what they are compared by.

    Args:
        workspace: The project's stores.
        run_id: The version's run.
        prepared: Its study.
        refit: Whether one network was trained on all speakers but those held out, instead of one for each fold.
    """
    corpus = prepared.corpus
    if refit:
        used = prepared.trainable
    else:
        used = np.unique(np.concatenate([[*fold.train, *fold.validation] for fold in prepared.folds])).astype(int)
    sounds = corpus_sounds(corpus, workspace.project.cache).only(used)
    rows = [
        (corpus.utterances[number].id, corpus.utterances[number].speaker, digest)
        for number, digest in zip(used.tolist(), sounds.digests, strict=True)
    ]
    with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary:
        path = Path(temporary) / (REFIT_FILE if refit else FOLDS_FILE)
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("utterance", "speaker", "sound"), *rows])
        fingerprints = path.with_suffix(FINGERPRINTS)
        fingerprints.write_bytes(sounds.to_bytes())
        workspace.client.log_artifact(run_id, str(fingerprints))
        workspace.client.log_artifact(run_id, str(path))


def read_training_sounds(workspace: Workspace, version: ModelVersion) -> TrainingSounds | None:
    """The recordings that a version was trained on; None where their list is gone."""
    name = REFIT_FILE if REFIT_TAG in version.tags else FOLDS_FILE
    table = workspace.artifact(str(version.run_id), name)
    if table is None:
        return None
    rows = list(csv.DictReader(table.decode("utf-8").splitlines()))
    digests, names = tuple(row["sound"] for row in rows), tuple(row["utterance"] for row in rows)
    stored = workspace.artifact(str(version.run_id), str(Path(name).with_suffix(FINGERPRINTS)))
    sounds = None if stored is None else Sounds.from_bytes(stored)
    if sounds is not None and sounds.digests != digests:
        sounds = None
    return TrainingSounds(dict(zip(digests, names, strict=True)), names, sounds)
