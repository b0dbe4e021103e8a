"""The card's section on evaluations: what `evaluate` measured of a version, on other corpora or its own."""

from ..resampling import describe_score
from ..tracking import (
    EVALUATES_TAG,
    MLFLOW_PARENT_RUN_ID,
    Workspace,
    metrics_of,
    protocol_of,
    score_of,
    search_runs,
    task_of,
)
from .card import markdown_table

__all__ = ["add_evaluations"]

HEADING = "## Evaluations"
LONGEST_DESCRIPTION = 5000
"""Characters that MLflow keeps."""
_ECE = "evaluation_ece"
"""A metric of evaluations of probabilities: the expected calibration error."""


def add_evaluations(workspace: Workspace, name: str, version: str) -> None:
    """Write the section into a version's description, in place of an earlier one.

    The newest evaluation of each protocol is listed, newest first, as many as MLflow has room for.

    Args:
        workspace: The project's stores.
        name: The registered model's.
        version: Its number.
    """
    found = workspace.client.get_model_version(name, version)
    rows: dict[str, dict[str, str]] = {}
    for run in search_runs(workspace, tags={EVALUATES_TAG: f"{name}/{version}"}):
        if run.data.tags.get(MLFLOW_PARENT_RUN_ID) != found.run_id or score_of(run, "evaluation") is None:
            continue  # of a deleted model of the same name, or interrupted
        protocol, metrics = protocol_of(run), run.data.metrics
        row = {"corpus": protocol.corpus, task_of(run).predictions: str(len(protocol.names))}
        row |= {one.title: describe_score(metrics, f"evaluation_{one.name}") for one in metrics_of(run)}
        row |= {"ECE": f"{metrics[_ECE]:.3f}"} if _ECE in metrics else {}
        row |= {"judged by": protocol.in_words["judged_by"], "run": run.info.run_id}
        rows.setdefault(protocol.fingerprint, row)
    kept = list(rows.values())
    card = (found.description or "").partition(HEADING)[0].rstrip()
    while kept:
        columns = list(dict.fromkeys(column for row in kept for column in row))
        table = markdown_table(columns, [[row.get(column, "") for column in columns] for row in kept])
        described = f"{card}\n\n{HEADING}\n\n{table}\n"
        if len(described) <= LONGEST_DESCRIPTION:
            workspace.client.update_model_version(name, version, description=described)
            return
        kept.pop()
