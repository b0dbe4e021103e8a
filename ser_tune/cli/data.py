"""`extract`, `models`, `sync` and `ui`."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..config import Project
from ..errors import brief
from .console import notes, print_json, print_table, print_warnings, results
from .pages import print_pages
from .servers import run_server

__all__ = ["deliver", "export", "list_models", "serve"]


def export(out: Path, *, corpus: str, data: Path | None, features: str, assignments: Sequence[str]) -> None:
    """Extract a corpus's features and write its segments."""
    from .. import api
    from ..features import refuse_other_format, write_export
    from ..search import read_assignments
    from .progress import ProgressObserver

    refuse_other_format(out)  # before minutes of extraction
    with ProgressObserver() as progress:
        found = api.extract(
            corpus,
            data=data,
            features=features,
            settings=read_assignments(assignments),
            progressed=progress.extraction_progressed,
        )
    if found.licence:
        notes.print(f"note: {found.licence}", markup=False)
    exported = found.segments
    write_export(out, exported, {f"{found.answer}s": found.names})
    shape = next(iter(exported.values()))[0].shape[1:]
    total = sum(len(arrays[0]) for arrays in exported.values())
    size = out.stat().st_size / 1e6
    notes.print(f"{out}: {len(exported)} speakers, {total} segments of {shape}, {size:.1f} MB", markup=False)


def list_models(*, as_json: bool, tracking_uri: str | None) -> None:
    """Print every registered version."""
    from .. import api
    from ..resampling import describe_score

    versions = api.models(project=Project.locate(tracking_uri=tracking_uri))
    if as_json:
        print_json(
            [
                {"name": one.name, "version": one.version, "aliases": list(one.aliases), **_told(one.tags)}
                for one in versions
            ]
        )
        return
    if not versions:
        notes.print("no registered models yet; run `ser-tune study --model 3d_acrnn`")
        return
    columns = _score_columns([one.tags for one in versions])
    names = tuple(name for names in columns.values() for name in names)
    tags = {"corpus": "corpus", "protocol": "fingerprint", "study": "study", "trial": "trial"}
    rows, problems = [], list[str]()
    for one in versions:
        numbers, damaged = _numbers(one.tags, names)
        described = ["".join(describe_score(numbers, name) for name in names) for names in columns.values()]
        problems += [f"{one.name} version {one.version}: {tag} is {brief(one.tags[tag])}, no number" for tag in damaged]
        rows.append(
            [
                one.name,
                one.version,
                ", ".join(one.aliases),
                *described,
                *(one.tags.get(tag, "") for tag in tags.values()),
            ]
        )
    print_table(["name", "version", "alias", *columns, *tags], rows)
    print_warnings(
        f"protocol {one.tags.get('fingerprint', 'unknown')}: {one.tags['warnings']}"
        for one in versions
        if "warnings" in one.tags
    )
    print_warnings(problems)


def _score_columns(versions: Sequence[Mapping[str, str]]) -> dict[str, list[str]]:
    """The titles of columns of scores, each with the tags that it shows, of which a version has one at most.

    Args:
        versions: The tags of every version. The objective alone has a score over folds among them.
    """
    from ..metrics import METRICS

    known = [METRICS.get(name) for name in METRICS.names()]
    tags = {tag for one in versions for tag in one}
    objectives = [one for one in known if f"validation_{one.name}_fold_mean" in tags]
    others = [one for one in known if one not in objectives and f"validation_{one.name}" in tags]
    return {
        **{f"validation {one.title}": [f"validation_{one.name}"] for one in objectives},
        "corrected": [f"corrected_{one.name}" for one in objectives],
        **{f"test {one.title}": [f"test_{one.name}"] for one in (*objectives, *others)},
    }


def _numbers(tags: Mapping[str, str], scores: tuple[str, ...]) -> tuple[dict[str, float], list[str]]:
    """Those tags that are scores; and which of them somebody has made something else of."""
    numbers, damaged = dict[str, float](), list[str]()
    for key, value in tags.items():
        if key.startswith(scores):
            try:
                numbers[key] = float(value)
            except ValueError:
                damaged.append(key)
    return numbers, damaged


def _told(tags: Mapping[str, str]) -> dict[str, str]:
    """A version's tags for people."""
    from ..tracking import FILES_TAG

    return {key: value for key, value in tags.items() if key != FILES_TAG}


def deliver(*, restore: str | None, tracking_uri: str | None) -> None:
    """Deliver what waits in the outbox, close and what killed processes left open; exit code 1 where trials wait on."""
    from .. import api

    project = Project.locate(tracking_uri=tracking_uri)
    found = api.sync(restore=restore, project=project)
    for run in found.restored:
        results.print(f"restored: {run}", markup=False)
    for run in found.closed:
        results.print(f"closed, because its process was killed: {run}", markup=False)
    for study, trials in found.delivered.items():
        results.print(f"study {study}: {trials} trials delivered to {project.tracking_uri}", markup=False)
    for study, trials in found.waiting.items():
        why = f"for another tracking store; {project.tracking_uri} has no run of the study"
        notes.print(f"study {study}: {trials} trials wait: {found.deleted.get(study, why)}", markup=False)
    if not (found.delivered or found.waiting or found.closed or found.restored):
        results.print("nothing waits")
    if found.waiting:
        raise SystemExit(1)


def serve(*, host: str, port: int, tracking_uri: str | None) -> None:
    """Run MLflow's server on the project's tracking data."""
    from ..tracking import open_delivered

    project = Project.locate(tracking_uri=tracking_uri)
    if project.tracking_uri.startswith("http"):
        notes.print(f"the tracking server is at {project.tracking_uri}; open it in a browser", markup=False)
        print_pages(project, project.tracking_uri.rstrip("/"))
        return
    open_delivered(project)
    address = f"http://{host}:{port}/#/experiments?workflowType=machine_learning"
    notes.print(f"MLflow on {project.tracking_uri}: open {address} (Ctrl-C ends)", markup=False)
    print_pages(project, f"http://{host}:{port}")
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", host, "--port", str(port)),
        *("--backend-store-uri", project.tracking_uri, "--default-artifact-root", str(project.artifacts)),
    ]
    # Its job runners are for language models: without them it starts in a third of the time and memory
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    run_server(command, environment, name=f"MLflow's server on {host}, port {port},")
