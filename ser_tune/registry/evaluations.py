"""The card's section on evaluations: what `evaluate` measured of a version, on other corpora or its own."""

from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from ..resampling import describe_score
from ..tracking import EVALUATES_TAG, protocol_of, search_runs
from .card import markdown_table

__all__ = ["add_evaluations"]

HEADING = "## Evaluations"
LONGEST_DESCRIPTION = 5000
"""Characters that MLflow keeps."""


def add_evaluations(client: MlflowClient, name: str, version: str) -> None:
    """Write the section into a version's description, in place of an earlier one.

    The newest evaluation of each protocol is listed, newest first, as many as MLflow has room for.

    Args:
        client: MLflow.
        name: The registered model's.
        version: Its number.
    """
    found = client.get_model_version(name, version)
    rows: dict[str, list[str]] = {}
    for run in search_runs(client, tags={EVALUATES_TAG: f"{name}/{version}"}):
        if run.data.tags.get(MLFLOW_PARENT_RUN_ID) != found.run_id or "evaluation_uar" not in run.data.metrics:
            continue  # of a deleted model of the same name, or interrupted
        protocol = protocol_of(run)
        scores = [describe_score(run.data.metrics, one) for one in ("evaluation_uar", "evaluation_wa")]
        ece = f"{run.data.metrics['evaluation_ece']:.3f}"
        rows.setdefault(
            protocol.fingerprint,
            [
                protocol.corpus,
                str(len(protocol.emotions)),
                *scores,
                ece,
                protocol.in_words["judged_by"],
                run.info.run_id,
            ],
        )
    kept = list(rows.values())
    card = (found.description or "").partition(HEADING)[0].rstrip()
    while kept:
        table = markdown_table(["corpus", "classes", "UAR", "WA", "ECE", "judged by", "run"], kept)
        described = f"{card}\n\n{HEADING}\n\n{table}\n"
        if len(described) <= LONGEST_DESCRIPTION:
            client.update_model_version(name, version, description=described)
            return
        kept.pop()
