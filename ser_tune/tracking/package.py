"""Making a self-contained MLflow model of a predictor: weights as safetensors, and the code that reads them."""

import hashlib
import io
import json
import tempfile
import uuid
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path

import mlflow
import numpy as np
import yaml
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

from .. import errors
from ..architectures import ARCHITECTURES
from ..features import FEATURE_SETS
from ..prediction import Committee, Predictor, Recipe
from ..tasks import DEFAULT_TASK, SETS_FILE, TASKS, PredictionSets
from .encoders import ENCODERS_FILE, store_encoders, stored_encoders
from .failures import download, is_missing, reason_of
from .loading import CONTENT
from .mlflow_internals import MLMODEL_FILE_NAME, Array, unchecked_requirements
from .workspace import Workspace

__all__ = ["log_predictor", "log_saved", "read_predictor", "save_predictor"]

REQUIREMENTS = (
    *("filelock", "librosa", "mlflow", "numpy", "pandas", "pydantic"),
    *("safetensors", "scipy", "soundfile", "soxr", "threadpoolctl", "torch"),
)
"""Packages that a loaded model imports. ser-tune is not among them: the model carries its own copy."""

CARRIED = (
    *("prediction", "architectures", "features", "folds", "promotion_rules", "resampling", "tasks", "metrics"),
    *("corpora", "encoders", "likeness", "audio", "device", "config", "components", "drawing", "markdown"),
    *("row_groups", "spreadsheets", "errors", "__init__"),
)
"""Rooms that a model carries: `prediction` and those below, which it may import."""

LOADER, DUMPER = getattr(yaml, "CSafeLoader", yaml.SafeLoader), getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""Written in C, ten times as fast, where PyYAML has them."""

INPUTS = Schema(
    [
        ColSpec(DataType.string, "path", required=False),
        ColSpec(DataType.string, "audio", required=False),
        ColSpec(Array(DataType.double), "waveform", required=False),
        ColSpec(DataType.long, "sample_rate_hz", required=False),
        ColSpec(DataType.string, "speaker", required=False),
    ]
)


def log_predictor(
    workspace: Workspace,
    run: Run,
    predictor: Predictor | Committee,
    *,
    name: str,
    tags: dict[str, str],
    sets: PredictionSets | None = None,
) -> str:
    """Store a trained predictor, with its prediction sets if it has some, as an MLflow model of a run.

    Returns:
        The logged model's identifier.
    """
    with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary:
        folder = Path(temporary) / "model"
        save_predictor(predictor, folder, sets)
        return log_saved(workspace, run, folder, name=name, tags=tags)


def save_predictor(predictor: Predictor | Committee, folder: Path, sets: PredictionSets | None = None) -> None:
    """Write a trained predictor as an MLflow model into a new folder, complete but for pretrained encoders.

    Args:
        predictor: Its networks and front end.
        folder: Is made.
        sets: Its prediction sets; None where it has none.

    Raises:
        OSError: The disk is full or cannot be written.
    """
    members = predictor.members if isinstance(predictor, Committee) else [predictor]
    plugins = {part: package for member in members for part, package in _plugins(member.recipe).items()}
    extras = {package for member in members for package in member.recipe.requirements}
    requirements = [f"{package}=={_version(package)}" for package in sorted({*REQUIREMENTS, *extras})]
    content = folder / CONTENT
    content.mkdir(parents=True)
    (content / "ser_tune.zip").write_bytes(_code())
    predictor.save(content)
    if sets is not None:
        (content / SETS_FILE).write_text(sets.as_json(), encoding="utf-8")
    (content / "plugins.json").write_text(json.dumps(plugins, indent=2), encoding="utf-8")
    (content / ENCODERS_FILE).write_text("{}", encoding="utf-8")
    facts = _metadata(members)
    frame = _frame(
        tuple(predictor.labels),
        (*requirements, *sorted(set(plugins.values()))),
        "" if facts is None else json.dumps(facts),
    )
    for name, text in frame.items():
        (folder / name).write_text(text, encoding="utf-8")
    described = yaml.load(frame[MLMODEL_FILE_NAME], Loader=LOADER) | {
        "model_uuid": uuid.uuid4().hex,
        "utc_time_created": str(datetime.now(UTC).replace(tzinfo=None)),
        "model_size_bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    }
    (folder / MLMODEL_FILE_NAME).write_text(yaml.dump(described, Dumper=DUMPER), encoding="utf-8")


@lru_cache(maxsize=8)
def _frame(labels: tuple[str, ...], requirements: tuple[str, ...], facts: str) -> Mapping[str, str]:
    """The files of an MLflow model around its predictor: name to text, alike for all trials of a study.

    MLflow's own writing takes longer than all else of a model. The requirements are what is installed.

    Args:
        labels: Of the outputs.
        requirements: Of pip.
        facts: Metadata as JSON; empty where there are none.
    """
    outputs = Schema([ColSpec(DataType.string, "label"), *(ColSpec(DataType.double, label) for label in labels)])
    with (
        tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary,
        warnings.catch_warnings(),
        unchecked_requirements(),
    ):
        # MLflow would like an example to try the model on; a path that exists on no other machine is none
        warnings.filterwarnings("ignore", message=".*An input example was not provided", category=UserWarning)
        content, folder = Path(temporary, CONTENT.name), Path(temporary, "model")
        content.mkdir()
        (content / ENCODERS_FILE).write_text("{}", encoding="utf-8")
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(Path(__file__).with_name("mlflow_model.py")),
            artifacts={CONTENT.name: str(content)},
            pip_requirements=list(requirements),
            signature=ModelSignature(inputs=INPUTS, outputs=outputs),
            metadata=json.loads(facts) if facts else None,
        )
        return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.is_file()}


def _metadata(members: Sequence[Predictor]) -> dict[str, object] | None:
    """Facts on the numbers that a model returns, for programs; None of one emotion of several: probabilities."""
    recipe = members[0].recipe
    if recipe.task == DEFAULT_TASK:
        return None
    errors = np.mean([member.recipe.errors for member in members], axis=0).tolist() if recipe.errors else ()
    facts = {"scales": [list(scale) for scale in recipe.scales], "errors": errors}
    named = {fact: dict(zip(recipe.labels, values, strict=True)) for fact, values in facts.items() if values}
    return {"task": recipe.task, "number": TASKS.get(recipe.task).number, **named}


def log_saved(workspace: Workspace, run: Run, folder: Path, *, name: str, tags: dict[str, str]) -> str:
    """Store what `save_predictor` wrote, and the encoders that it needs; arguments and result as of `log_predictor`."""
    predictor = folder / CONTENT
    recipes = [Recipe.from_json(path.read_text(encoding="utf-8")) for path in sorted(predictor.rglob("recipe.json"))]
    encoders = store_encoders(workspace, run, recipes)
    (predictor / ENCODERS_FILE).write_text(json.dumps(encoders, indent=2), encoding="utf-8")
    return str(workspace.log_model(run, folder, name=name, tags=tags).model_id)


@cache
def _version(package: str) -> str:
    """The installed version of a package, without its local part (torch 2.9+cpu is 2.9): read once, of every trial."""
    return version(package).partition("+")[0]


@cache
def _code() -> bytes:
    """A zip file of what a model needs of this package, in a folder whose name is made of its content.

    One file, because MLflow copies a model's files three times over, one after another.
    """
    root = Path(__file__).parents[1]
    files = [
        path for path in sorted(root.rglob("*.py")) if path.relative_to(root).parts[0].removesuffix(".py") in CARRIED
    ]
    sources = {path.relative_to(root).as_posix(): path.read_bytes() for path in files}
    digest = hashlib.sha256(b"".join(name.encode() + source for name, source in sources.items())).hexdigest()
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as file:
        for name, source in sources.items():
            file.writestr(zipfile.ZipInfo(f"ser_tune_{digest[:16]}/{name}"), source, zipfile.ZIP_DEFLATED)
    return zipped.getvalue()


def _plugins(recipe: Recipe) -> dict[str, str]:
    """Components of a recipe that the model's copy of ser_tune lacks: component, in words, to its pip requirement."""
    used = ((ARCHITECTURES, recipe.model.name), (FEATURE_SETS, recipe.features.name), (TASKS, recipe.task))
    needed = {f"{catalogue.kind} '{name}'": catalogue.requirement(name) for catalogue, name in used}
    return {component: requirement for component, requirement in needed.items() if requirement is not None}


def read_predictor(uri: str) -> Predictor:
    """Read a trial's predictor with the code of this installation, to make another model of it.

    Args:
        uri: Such as `models:/m-0123…`.

    Raises:
        RegistryError: Its files are gone, or another version of ser-tune wrote them in another form.
    """
    with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary:
        try:
            folder = download(uri, temporary)
            predictor = folder / CONTENT
            return Predictor.load(predictor, stored_encoders(predictor))
        except (MlflowException, OSError) as error:
            if is_missing(error):
                raise errors.RegistryError(
                    f"the files of the model {uri} were deleted; put them back from a copy, or train the best "
                    "configurations again in a new study with --warm-start and this one's name"
                ) from None
            raise errors.RegistryError(f"the files of {uri} cannot be read: {reason_of(error)}") from None
        except (KeyError, ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise errors.RegistryError(f"{uri} was made by another version of ser-tune: {reason}") from None
