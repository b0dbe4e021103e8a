"""What a version was trained on, as digests of decoded sound: `evaluate` refuses these recordings."""

import csv
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ..corpora import sound_digests
from ..folds import may_train
from ..study import Prepared

__all__ = ["REFIT_TAG", "log_training_sounds", "read_training_sounds"]

REFIT_TAG = "ser_tune.refit_of"
"""On a version with one network for all speakers: the model of the folds that it stems from."""
FOLDS_FILE, REFIT_FILE = "training_sounds.csv", "refit_training_sounds.csv"


def log_training_sounds(client: MlflowClient, run_id: str, prepared: Prepared, *, refit: bool) -> None:
    """Store the utterances that a version's networks were trained or validated on, with the digests of their sound.

    Args:
        client: MLflow.
        run_id: The version's run.
        prepared: Its study.
        refit: Whether one network was trained on all speakers but those held out, instead of one for each fold.
    """
    corpus = prepared.corpus
    if refit:
        held_out = prepared.definition.config.protocol.holdout
        used = np.flatnonzero(may_train(corpus, held_out))
    else:
        used = np.unique(np.concatenate([[*fold.train, *fold.validation] for fold in prepared.folds])).astype(int)
    utterances = [corpus.utterances[one] for one in used]
    with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary:
        path = Path(temporary) / (REFIT_FILE if refit else FOLDS_FILE)
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["utterance", "speaker", "sound"])
            digests = sound_digests(utterances)
            table.writerows((one.id, one.speaker, sound) for one, sound in zip(utterances, digests, strict=True))
        client.log_artifact(run_id, str(path))


def read_training_sounds(client: MlflowClient, version: ModelVersion) -> Mapping[str, str] | None:
    """Digest of sound to name of the utterance; None for a version that an earlier ser-tune registered."""
    name = REFIT_FILE if REFIT_TAG in version.tags else FOLDS_FILE
    with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary:
        try:
            path = Path(client.download_artifacts(str(version.run_id), name, temporary))
        except (MlflowException, OSError):
            return None
        with path.open(encoding="utf-8", newline="") as file:
            return {row["sound"]: row["utterance"] for row in csv.DictReader(file)}
