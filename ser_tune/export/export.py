"""Writing a registered model into a folder of its own, checked before it appears."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ..config import Project
from ..encoders import CHECKPOINTS, encoders_among, short_name
from ..errors import ConfigError, RegistryError
from ..prediction import Recipe
from ..registry import find_version, load_model
from ..tracking import metrics_of
from .check import Agreement, compare
from .formats import FORMATS, Written, refuse_other_format
from .recordings import pick_recordings
from .texts import dockerfile, hub_header, readme

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
    client: MlflowClient,
    project: Project,
    reference: str,
    *,
    form: str,
    out: Path | None = None,
    recordings: Sequence[Path] = (),
) -> Exported:
    """Write a registered model in a format, compare it with the registered one, and only then name the folder.

    Args:
        client: MLflow.
        project: Where the corpus and its cache are.
        reference: `name` (its champion), `name@alias` or `name/version`.
        form: `onnx`, `torchscript`, `safetensors` or `hub`.
        out: Folder to make; None is `NAME-VERSION-FORMAT` in the current one.
        recordings: To check on; none takes eight of the model's corpus.

    Raises:
        RegistryError: There is no such model.
        ConfigError: The folder exists, or the model cannot be written in this format.
        SerTuneError: What was written predicts something else than the registered model.
    """
    refuse_other_format(form)
    version = find_version(client, reference)
    out = out or Path(f"{version.name}-{version.version}-{form}")
    _refuse_existing(out)
    model = load_model(f"{version.name}/{version.version}", tracking_uri=project.tracking_uri)
    with _scratch(out) as scratch:
        source = _downloaded(version, scratch)
        folder = scratch / "export"
        folder.mkdir()
        written = FORMATS[form](source, folder)
        corpus = "given on the command line"
        if not recordings:
            run = client.get_run(str(version.run_id))
            recordings, corpus = pick_recordings(client, run, project, scratch, longest_s=written.longest_s)
        agreement = compare(folder, model, recordings, corpus, written)
        _write_texts(client, version, form, folder, source, written, agreement, model.labels)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        _refuse_existing(out)  # while minutes went by
        folder.rename(out)
    return Exported(version.name, str(version.version), form, out, size, agreement, written.outside, written.longest_s)


@contextmanager
def _scratch(out: Path) -> Iterator[Path]:
    """A folder beside the one to make: renaming is then a single step."""
    with tempfile.TemporaryDirectory(prefix=".ser-tune-export-", dir=out.absolute().parent) as temporary:
        yield Path(temporary)


def _refuse_existing(out: Path) -> None:
    if out.exists():
        raise ConfigError(f"--out '{out}' exists; expected the name of a new folder")
    if not out.absolute().parent.is_dir():
        raise ConfigError(f"--out '{out}': there is no folder '{out.absolute().parent}'; expected an existing one")


def _downloaded(version: ModelVersion, scratch: Path) -> Path:
    try:
        uri = f"models:/{version.name}/{version.version}"
        return Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(scratch / "source")))
    except (MlflowException, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise RegistryError(f"the files of {version.name}/{version.version} cannot be read: {reason}") from None


def _write_texts(
    client: MlflowClient,
    version: ModelVersion,
    form: str,
    folder: Path,
    source: Path,
    written: Written,
    agreement: Agreement,
    labels: Sequence[str],
) -> None:
    header = ""
    if form == "hub":
        recipes = [Recipe.from_json(one.read_text(encoding="utf-8")) for one in sorted(source.rglob("recipe.json"))]
        encoders = [one for recipe in recipes for one in encoders_among(recipe.features, recipe.model)]
        used = {short_name(one.checkpoint).casefold() for one in encoders}
        base = [known for known in CHECKPOINTS if short_name(known).casefold() in used]
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        run = client.get_run(str(version.run_id))
        header = hub_header(version.name, config, version.tags, run.data.metrics, metrics_of(run), base)
    title = f"{version.name}, version {version.version}"
    text = readme(title, form, written, agreement, labels, version.description or "", header)
    (folder / "README.md").write_text(text, encoding="utf-8")
    (folder / "requirements.txt").write_text("\n".join(written.requirements) + "\n", encoding="utf-8")
    (folder / "Dockerfile").write_text(dockerfile(), encoding="utf-8")
