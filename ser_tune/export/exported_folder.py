"""Writing a registered model into a folder of its own, which appears only after its check."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException

from ..errors import ConfigError, RegistryError
from ..registry import find_version, load_model
from ..tracking import Workspace
from .agreement import Agreement, compare, pick_recordings
from .model_files import FORMATS, refuse_other_format
from .readme import DOCKERFILE, hub_header, readme

__all__ = ["Exported", "export"]


@dataclass(frozen=True, slots=True)
class Exported:
    """A folder with a model, its check passed."""

    name: str
    version: str
    format: str
    folder: Path
    size_bytes: int
    agreement: Agreement
    outside: Sequence[str]
    """Parts of the prediction that the model's file does not contain, in words."""
    longest_s: float | None
    """Longer recordings are refused; None takes any."""


def export(
    workspace: Workspace,
    reference: str,
    *,
    form: str,
    out: Path | None = None,
    recordings: Sequence[Path] = (),
) -> Exported:
    """Write a registered model in a format, compare it with the registered model, and only then name the folder.

    Args:
        workspace: The project's stores.
        reference: `name` (its champion), `name@alias` or `name/version`.
        form: `onnx`, `torchscript`, `safetensors` or `hub`.
        out: Folder to make; None is `NAME-VERSION-FORMAT` in the current one.
        recordings: To check on; none takes eight of the model's corpus.

    Raises:
        RegistryError: There is no such model.
        ConfigError: The folder exists, or the model cannot be written in this format.
        SerTuneError: The exported model predicts something else than the registered model.
    """
    refuse_other_format(form)
    version = find_version(workspace, reference)
    out = out or Path(f"{version.name}-{version.version}-{form}")
    _refuse_existing(out)
    exact = f"{version.name}/{version.version}"
    model = load_model(exact, tracking_uri=workspace.project.tracking_uri)
    # A folder beside the one to make: renaming is then a single step
    with tempfile.TemporaryDirectory(prefix=".ser-tune-export-", dir=out.absolute().parent) as temporary:
        scratch = Path(temporary)
        source = _downloaded(exact, scratch)
        folder = scratch / "export"
        folder.mkdir()
        written = FORMATS[form](source, folder)
        run_id = str(version.run_id)
        corpus = "given on the command line"
        if not recordings:
            recordings, corpus = pick_recordings(workspace, run_id, scratch, longest_s=written.longest_s)
        agreement = compare(folder, model, recordings, corpus, written)
        header = hub_header(version, workspace.client.get_run(run_id), folder, source) if form == "hub" else ""
        texts = {
            "README.md": readme(version, form, written, agreement, model, header),
            "requirements.txt": "\n".join(written.requirements) + "\n",
            "Dockerfile": DOCKERFILE,
        }
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        _refuse_existing(out)  # while minutes went by
        folder.rename(out)
    return Exported(version.name, str(version.version), form, out, size, agreement, written.outside, written.longest_s)


def _refuse_existing(out: Path) -> None:
    if out.exists():
        raise ConfigError(f"--out '{out}' exists; expected the name of a new folder")
    if not out.absolute().parent.is_dir():
        raise ConfigError(f"--out '{out}': there is no folder '{out.absolute().parent}'; expected an existing one")


def _downloaded(reference: str, scratch: Path) -> Path:
    """The files of a version, copied."""
    try:
        return Path(mlflow.artifacts.download_artifacts(f"models:/{reference}", dst_path=str(scratch / "source")))
    except (MlflowException, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise RegistryError(f"the files of {reference} cannot be read: {reason}") from None
