"""All values that a project's databases and files hold, each under a path; nothing of ser_tune reads them."""

import csv
import hashlib
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from safetensors import safe_open

__all__ = ["Values", "collected"]

IDENTIFIER = re.compile(r"(?:\b|(?<=%22))(?:m-)?[0-9a-f]{32}(?![0-9a-f])")
"""Of a run, a logged model or a study: drawn at random. In addresses it follows an escaped quotation mark."""


class Values(dict[str, str]):
    """Path to value, as text with all digits."""

    def add(self, path: str, value: object) -> None:
        """Add a value and what is inside it: of JSON every leaf, also where JSON is a text inside JSON."""
        if isinstance(value, str) and value[:1] in ("{", "[", '"'):
            with suppress(ValueError):
                value = json.loads(value)
        if isinstance(value, Mapping) and value:
            for name, inner in value.items():
                self.add(f"{path}/{name}", inner)
        elif isinstance(value, list | tuple) and value:
            for number, inner in enumerate(value):
                self.add(f"{path}/{number}", inner)
        else:
            again, number = path, 1
            while again in self:
                again, number = f"{path} ({number + 1})", number + 1
            self[again] = value if isinstance(value, str) else repr(value)


PROMOTED = "★ "
"""Beginning of the names of registered trials' runs, which earlier code does not write."""


def collected(project: Path, printed: Values) -> Values:
    """Everything that the studies of a project left behind.

    Args:
        project: Its folder; no command runs there.
        printed: What its commands printed.
    """
    values, names = Values(printed), {str(project): "<project>"}
    if (tracked := project / "mlruns" / "mlflow.db").exists():
        with closing(sqlite3.connect(f"file:{tracked}?mode=ro", uri=True)) as mlflow:
            names |= _add_mlflow(values, mlflow, project / "mlruns" / "artifacts")
    if (stored := project / "studies" / "optuna.db").exists():
        with closing(sqlite3.connect(f"file:{stored}?mode=ro", uri=True)) as optuna:
            _add_optuna(values, optuna)
    return _named(values, names)


def _named(values: Values, names: Mapping[str, str]) -> Values:
    """Replace what is drawn at random, and the project's folder, by names that both sides have."""
    folder = next(iter(names))

    def name(text: str) -> str:
        return IDENTIFIER.sub(lambda found: names.get(found[0], found[0]), text.replace(folder, names[folder]))

    return Values({name(path): name(value) for path, value in values.items()})


def _runs(mlflow: sqlite3.Connection) -> dict[str, str]:
    """Each run's names from its experiment down, by identifier; of equal names the earlier first."""
    parents = dict(mlflow.execute("select run_uuid, value from tags where key = 'mlflow.parentRunId'"))
    rows = mlflow.execute(
        "select run_uuid, e.name, runs.name from runs join experiments e using (experiment_id) order by start_time"
    ).fetchall()
    own = {identifier: (experiment, name.removeprefix(PROMOTED)) for identifier, experiment, name in rows}

    def path(identifier: str) -> str:
        experiment, name = own[identifier]
        parent = parents.get(identifier)
        return f"{experiment if parent not in own else path(parent)}/{name}"

    return _numbered({identifier: path(identifier) for identifier in own})


def _numbered(names: Mapping[str, str]) -> dict[str, str]:
    """The same names by identifier; of equal ones the later ones are numbered."""
    seen, found = Counter[str](), dict[str, str]()
    for identifier, name in names.items():
        seen[name] += 1
        found[identifier] = name if seen[name] == 1 else f"{name} ({seen[name]})"
    return found


def _add_mlflow(values: Values, mlflow: sqlite3.Connection, artifacts: Path) -> dict[str, str]:
    """Add runs, models and versions with their files; return the names of all identifiers."""
    runs = _runs(mlflow)
    logged = mlflow.execute("select model_id, source_run_id from logged_models order by rowid").fetchall()
    models = _numbered({model: runs.get(run, run) for model, run in logged})
    studies = mlflow.execute("select value, run_uuid from tags where key = 'ser_tune.study_id'")
    names = {study: f"<study of {runs[run].split('/')[1]}>" for study, run in studies}
    names |= {run: f"<{name}>" for run, name in runs.items()}
    names |= {model: f"<model of {name}>" for model, name in models.items()}
    _add_runs(values, mlflow, runs)
    for model, key, value in mlflow.execute("select model_id, tag_key, tag_value from logged_model_tags"):
        values.add(f"model/{models[model]}/tag/{key}", value)
    _add_versions(values, mlflow)
    for run, name in runs.items():
        _add_files(values, f"run/{name}/file", artifacts / run / "artifacts")
    for model, name in models.items():
        _add_files(values, f"model/{name}/file", artifacts / "models" / model / "artifacts")
    return names


def _add_runs(values: Values, mlflow: sqlite3.Connection, runs: Mapping[str, str]) -> None:
    for run, status, stage in mlflow.execute("select run_uuid, status, lifecycle_stage from runs"):
        values.add(f"run/{runs[run]}/status", f"{status}, {stage}")
    for table, kind in (("params", "parameter"), ("tags", "tag")):
        for run, key, value in mlflow.execute(f"select run_uuid, key, value from {table}"):
            values.add(f"run/{runs[run]}/{kind}/{key}", value.removeprefix(PROMOTED))
    # A study that is run again logs the same points again
    points = "select distinct run_uuid, key, step, case when is_nan then 'nan' else value end as value from metrics"
    for run, key, step, value in mlflow.execute(f"{points} order by run_uuid, key, step, value"):
        values.add(f"run/{runs[run]}/metric/{key}/step {step}", value)
    for name, digest, source in mlflow.execute(
        "select name, digest, dataset_source from datasets order by name, digest"
    ):
        values.add(f"dataset/{name}/{digest}", source)


def _add_versions(values: Values, mlflow: sqlite3.Connection) -> None:
    for name, version, source, text, status in mlflow.execute(
        "select name, version, source, description, status from model_versions"
    ):
        values.add(f"version/{name}/{version}/source", source)
        values.add(f"version/{name}/{version}/description", text)
        values.add(f"version/{name}/{version}/status", status)
    for name, version, key, value in mlflow.execute("select name, version, key, value from model_version_tags"):
        values.add(f"version/{name}/{version}/tag/{key}", value)
    for name, alias, version in mlflow.execute("select name, alias, version from registered_model_aliases"):
        values.add(f"registered/{name}/alias/{alias}", version)
    for name, key, value in mlflow.execute("select name, key, value from registered_model_tags"):
        values.add(f"registered/{name}/tag/{key}", value)


def _add_optuna(values: Values, optuna: sqlite3.Connection) -> None:
    studies = dict(optuna.execute("select study_id, study_name from studies"))
    for study, direction in optuna.execute("select study_id, direction from study_directions order by objective"):
        values.add(f"study/{studies[study]}/direction", direction)
    for kind in ("user", "system"):
        for study, key, value in optuna.execute(f"select study_id, key, value_json from study_{kind}_attributes"):
            values.add(f"study/{studies[study]}/{kind} attribute/{key}", value)
    trials = {}
    for trial, study, number, state in optuna.execute("select trial_id, study_id, number, state from trials"):
        trials[trial] = f"study/{studies[study]}/trial {number}"
        values.add(f"{trials[trial]}/state", state)
    for kind in ("user", "system"):
        for trial, key, value in optuna.execute(f"select trial_id, key, value_json from trial_{kind}_attributes"):
            values.add(f"{trials[trial]}/{kind} attribute/{key}", value)
    tables = (
        ("parameter", "param_name", "param_value", "trial_params"),
        ("distribution", "param_name", "distribution_json", "trial_params"),
        ("value", "objective", "value", "trial_values"),
        ("value type", "objective", "value_type", "trial_values"),
        ("intermediate value", "step", "intermediate_value", "trial_intermediate_values"),
        ("intermediate value type", "step", "intermediate_value_type", "trial_intermediate_values"),
    )
    for kind, key, value, table in tables:
        for trial, name, found in optuna.execute(f"select trial_id, {key}, {value} from {table}"):
            values.add(f"{trials[trial]}/{kind}/{name}", found)


def _add_files(values: Values, path: str, folder: Path) -> None:
    for file in sorted(one for one in folder.rglob("*") if one.is_file()):
        for inner, value in _content(file):
            values.add(f"{path}/{file.relative_to(folder).as_posix()}{inner}", value)


def _projections(tensor: np.ndarray) -> list[float]:
    """A tensor's norm, and its mean products with random tensors: they differ by as much as the tensors do."""
    flat = tensor.astype(np.float64).ravel()
    random = np.random.default_rng(0).standard_normal((3, flat.size))
    return [float(np.linalg.norm(flat)), *(float(value) for value in random @ flat / max(1, flat.size) ** 0.5)]


def _content(file: Path) -> Iterator[tuple[str, Any]]:
    """What a file holds, each value with its path inside the file; of other formats the SHA-256 of all bytes."""
    if file.suffix == ".safetensors":
        with safe_open(file, framework="numpy") as tensors:
            yield "/metadata", tensors.metadata()
            for name in tensors.keys():  # noqa: SIM118 - not a mapping
                tensor = tensors.get_tensor(name)
                about = f"{tensor.dtype} {tensor.shape}"
                yield f"/{name}", f"{about} SHA-256 {hashlib.sha256(tensor.tobytes()).hexdigest()}"
                yield f"/{name}/projections", _projections(tensor)
    elif file.suffix == ".csv":
        with file.open(encoding="utf-8", newline="") as lines:
            for number, row in enumerate(csv.DictReader(lines), 1):
                yield f"/row {number}", row
    elif file.suffix == ".json":
        yield "", json.loads(file.read_text(encoding="utf-8"))
    elif file.suffix in (".yaml", ".yml") or file.name == "MLmodel":
        yield "", yaml.safe_load(file.read_text(encoding="utf-8"))
    elif file.suffix == ".txt":
        yield "", file.read_text(encoding="utf-8")
    else:
        yield "", f"SHA-256 {hashlib.sha256(file.read_bytes()).hexdigest()}"
