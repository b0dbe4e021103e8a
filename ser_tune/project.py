"""The locations of a project: tracking data, studies, cached features."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from .errors import StorageError

__all__ = ["Project", "full_disk"]

FULL_BYTES = 1_000_000
"""A disk with less room is full: a database needs some for its journal."""


@dataclass(frozen=True, slots=True)
class Project:
    """The locations of a project, derived from its root folder where nothing else is given."""

    root: Path
    tracking_uri: str
    storage_url: str
    cache: Path
    """Files that can be made again: features, the demo corpus."""

    @classmethod
    def locate(cls, *, tracking_uri: str | None = None, storage_url: str | None = None) -> "Project":
        """Find the project: `SER_TUNE_ROOT` or the current folder.

        Args:
            tracking_uri: MLflow's; wins over `MLFLOW_TRACKING_URI`, which wins over the embedded database.
            storage_url: Optuna's; wins over the embedded database.

        Raises:
            StorageError: The root is not a folder.
        """
        root = Path(os.environ.get("SER_TUNE_ROOT", ".")).resolve()
        if not root.is_dir():
            raise StorageError(f"SER_TUNE_ROOT is '{root}'; expected an existing folder")
        return cls(
            root=root,
            tracking_uri=tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root}/mlruns/mlflow.db",
            storage_url=storage_url or f"sqlite:///{root}/studies/optuna.db",
            cache=Path(os.environ.get("SER_TUNE_CACHE") or root / ".cache").absolute(),
        )

    @property
    def artifacts(self) -> Path:
        """Folder of models and pictures of the embedded tracking database."""
        return self.root / "mlruns" / "artifacts"

    @property
    def outbox(self) -> Path:
        """Folder of trials that MLflow does not have yet; not to be deleted."""
        return self.root / "outbox"

    @property
    def speakers(self) -> Path:
        """Folder of the statistics of speakers that `predict --remember` keeps."""
        return self.root / "speakers"

    @property
    def embedded_tracking(self) -> bool:
        """Whether tracking data lie in the project's own database."""
        return self.tracking_uri == f"sqlite:///{self.root}/mlruns/mlflow.db"


def full_disk(url: str) -> str:
    """The end of a sentence on a database whose disk is full; empty where the disk has room, or is a server's."""
    scheme, _, path = url.partition(":///")
    folder = next((parent for parent in Path(path).absolute().parents if parent.is_dir()), None)
    if scheme not in ("sqlite", "journal") or folder is None:
        return ""
    disk = shutil.disk_usage(folder)
    if disk.total == 0 or disk.free >= FULL_BYTES:  # the system's own folders have no size
        return ""
    return f"; the disk of '{folder}' is full: make room, and the same command goes on from here"
