"""Pretrained encoders in the artifact store: stored once, referred to by trials, copied into registered versions."""

import json
import shutil
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mlflow.entities import Run

from ..encoders import FindEncoder, encoders_among
from ..prediction import ENCODERS, Recipe
from .digests import digests_of
from .failures import download
from .queries import logged_models
from .workspace import Workspace

__all__ = ["ENCODERS_FILE", "SelfContained", "log_self_contained", "store_encoders", "stored_encoders"]

ENCODERS_FILE = "encoders.json"
"""In a predictor's folder: digest of each pretrained encoder, and the MLflow model that holds its files."""
ENCODER_TAG = "ser_tune.encoder"
"""On the logged model that holds an encoder: the digest."""


def store_encoders(workspace: Workspace, run: Run, recipes: Iterable[Recipe]) -> dict[str, str]:
    """Store the encoders of a run's recipes that the artifact store does not have yet.

    Returns:
        Digest to the URI of the model that holds the encoder's files; empty where nothing is pretrained.
    """
    found: dict[str, str] = {}
    needed = (encoder for recipe in recipes for encoder in encoders_among(recipe.features, recipe.model))
    for encoder in needed:
        digest = encoder.digest
        if digest is None or digest in found:
            continue
        known = [model for model in logged_models(workspace, tags={ENCODER_TAG: digest}) if model.status == "READY"]
        if not known:
            from ..encoders.readers import save_encoder

            with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary:
                save_encoder(encoder.folder, Path(temporary))
                tags = {ENCODER_TAG: digest}
                known = [workspace.log_model(run, temporary, name="encoder", tags=tags)]
        found[digest] = f"models:/{known[0].model_id}"
    return found


def stored_encoders(folder: Path) -> FindEncoder:
    """Find the encoders that a predictor's folder refers to, in the artifact store; each is downloaded once."""
    encoders: dict[str, str] = json.loads((folder / ENCODERS_FILE).read_text(encoding="utf-8"))

    @cache
    def find(digest: str) -> Path:
        return download(encoders[digest])

    return find


class SelfContained(NamedTuple):
    """A logged model that refers to no other one."""

    model_id: str
    digests: dict[str, str]
    """SHA-256 of each of its files, by path."""


def log_self_contained(workspace: Workspace, run: Run, model_id: str) -> SelfContained:
    """Copy a run's model together with the encoders that it refers to.

    Returns:
        The copy, or the model itself where it needs no encoder.
    """
    with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary:
        source = download(f"models:/{model_id}", temporary)
        predictor = source / "artifacts" / "predictor"
        encoders: dict[str, str] = json.loads((predictor / ENCODERS_FILE).read_text(encoding="utf-8"))
        if not encoders:
            return SelfContained(model_id, digests_of(source))
        for digest, uri in encoders.items():
            with tempfile.TemporaryDirectory(prefix="ser-tune-") as scratch:
                files = download(uri, scratch)
                shutil.copytree(files, predictor / ENCODERS / digest)
        made = workspace.log_model(run, source, name="self-contained")
        return SelfContained(made.model_id, digests_of(source))
