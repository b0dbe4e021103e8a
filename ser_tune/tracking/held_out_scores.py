"""Scores of a run's networks on speakers whom they were not trained on; test and holdout speakers are scored once."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from mlflow.entities import Run

from ..errors import AudioError
from ..features import TYPICAL_CONDITIONS, Disturbance
from ..folds import SIDES
from ..metrics import Ranking
from ..prediction import Committee, Predictor
from ..protocol import Prepared
from ..search import HeldOut, score_holdout_speakers, score_test_speakers, score_validation_speakers
from .loading import model_errors, open_predictor
from .run_metrics import FOREIGN, score_metrics, write_held_out
from .runs import MODEL_TAG, objective_of, score_of
from .scored_sets import set_metrics
from .workspace import Workspace

__all__ = ["read_single_scores", "score_on_holdout", "score_on_test", "score_on_validation", "score_stressed"]


def score_on_validation(workspace: Workspace, run: Run, prepared: Prepared, predictor: Committee) -> None:
    """Score a committee on the validation speakers; a trial's own scores were written when it was trained."""
    _write(
        workspace, run, "validation", score_validation_speakers(prepared, predictor, workspace.project.cache), prepared
    )


def score_on_test(
    workspace: Workspace,
    run: Run,
    prepared: Prepared,
    *,
    predictor: Predictor | Committee | None = None,
) -> dict[str, float]:
    """Score a run's networks on the test speakers, and on those held out; once.

    The run is a complete trial's or a combination's, whose model was kept; `predictor` is that model where it is open.

    Returns:
        Every validation, test and holdout metric of the run.
    """
    if score_of(run, "test") is None and any(len(fold.test) for fold in prepared.folds):
        predictor = predictor or open_predictor(f"models:/{run.data.tags[MODEL_TAG]}")
        _write(workspace, run, "test", score_test_speakers(prepared, predictor, workspace.project.cache), prepared)
    return score_on_holdout(workspace, run, prepared, predictor=predictor)


def score_on_holdout(
    workspace: Workspace,
    run: Run,
    prepared: Prepared,
    *,
    predictor: Predictor | Committee | None = None,
) -> dict[str, float]:
    """Score a run's networks, together, on the speakers that the study never saw, if there are any; once.

    Args and returns as `score_on_test`. `optimism` is by how much the validation score, which chose the trial, is
    better than the mean score of the single networks on the held-out speakers, such as `holdout_single_uar`: of
    different speakers, so not paired.
    """
    scored = score_of(run, "holdout") is not None and read_single_scores(workspace, run) is not None
    if prepared.definition.config.protocol.holdout and not scored:
        predictor = predictor or open_predictor(f"models:/{run.data.tags[MODEL_TAG]}")
        together, single = score_holdout_speakers(prepared, predictor, workspace.project.cache)
        objective = prepared.definition.objective
        chosen_by = run.data.metrics[f"validation_{objective.name}"]
        workspace.client.log_dict(run.info.run_id, dict(single.by_speaker), f"{_single(objective.name)}.json")
        workspace.client.log_metric(run.info.run_id, _single(objective.name), single.value)
        workspace.client.log_metric(run.info.run_id, "optimism", Ranking(objective).gain(chosen_by, single.value))
        _write(workspace, run, "holdout", together, prepared)
    metrics = workspace.client.get_run(run.info.run_id).data.metrics
    return {key: value for key, value in metrics.items() if key.startswith((*SIDES, "optimism"))}


def _single(objective: str) -> str:
    """Name of the mean score of a run's single networks on held-out speakers; its file has each speaker's."""
    return f"holdout_single_{objective}"


def read_single_scores(workspace: Workspace, run: Run) -> dict[str, float] | None:
    """Read the mean score of a run's single networks on each held-out speaker; None where it was not scored."""
    content = workspace.artifact(run.info.run_id, f"{_single(objective_of(run).name)}.json")
    return None if content is None else dict(json.loads(content))


def score_stressed(
    workspace: Workspace,
    run: Run,
    prepared: Prepared,
    *,
    on_condition: Callable[[str], None] = lambda note: None,
) -> dict[str, float]:
    """Score a run's networks on the validation speakers in worse recordings; once.

    The run is a complete trial's or a combination's, whose model was kept. `on_condition` receives the name of each
    condition before it is scored, and why a condition is left out.

    Returns:
        Condition, such as `white noise 10 dB`, to pooled validation score, without conditions that leave too little of
        an utterance.
    """
    metrics, objective = workspace.client.get_run(run.info.run_id).data.metrics, prepared.definition.objective
    prefix = f"stressed_validation_{objective.name}/"
    names = {prefix + FOREIGN.sub("_", condition.name): condition for condition in TYPICAL_CONDITIONS}
    if not set(names) & set(metrics):
        predictor, disturbance = open_predictor(f"models:/{run.data.tags[MODEL_TAG]}"), Disturbance(prepared.corpus)
        metrics = {}
        for name, condition in names.items():
            if not disturbance.possible(condition):
                continue
            on_condition(condition.name)
            try:
                with model_errors():
                    cache = workspace.project.cache
                    found = score_validation_speakers(prepared, predictor, cache, condition=condition)
                metrics[name] = found.scores[objective.name].value
            except AudioError as error:
                on_condition(f"{condition.name} is left out: {error}")
        workspace.log_scores(run.info.run_id, metrics)
    return {condition.name: metrics[name] for name, condition in names.items() if name in metrics}


def _write(workspace: Workspace, run: Run, side: str, held_out: HeldOut, prepared: Prepared) -> None:
    """Write predictions and picture, then the metrics: a run that has them is complete."""
    corpus, names = prepared.corpus, prepared.targets.names
    with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary:
        write_held_out(Path(temporary), side, held_out, corpus, prepared.definition.task, names)
        workspace.client.log_artifacts(run.info.run_id, temporary)
    metrics = score_metrics(held_out.scores, names, side)
    if side == "test":
        metrics |= set_metrics(held_out, prepared)
    workspace.log_scores(run.info.run_id, metrics, {f"ser_tune.{side}": "scored"})
