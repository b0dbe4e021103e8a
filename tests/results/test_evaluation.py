"""Evaluations by any metric: the scores, the decisions, and the names of both in tables and in MLflow."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_tune.config import CorpusSettings
from ser_tune.corpora import map_labels
from ser_tune.errors import MappingError
from ser_tune.metrics import METRICS
from ser_tune.resampling import Estimate, Interval, Score, sums_of
from ser_tune.results import (
    EvaluationSetup,
    log_evaluation,
    score_evaluation,
    score_rows,
    set_up_evaluation,
    stress_rows,
)
from ser_tune.results.matched_targets import refuse_part
from ser_tune.results.stressed_scores import Stressed, draw_stress
from ser_tune.tasks import TASKS
from tests.plugged import ERROR

UAR, WA = METRICS.get("uar"), METRICS.get("wa")
LEVELS = ("low", "middle", "high")
ENDS = ("", "_low", "_high")


@pytest.fixture
def setup(first: Any, finished: Any) -> EvaluationSetup:
    """The champion of the finished study, and its own corpus."""
    return set_up_evaluation(
        first.workspace, "ser-manifest-alex_net", corpus=CorpusSettings(name="manifest", data=finished.csv)
    )


@pytest.mark.slow
def test_the_task_decides_and_the_metrics_are_those_of_the_model(setup: EvaluationSetup) -> None:
    outputs = setup.networks.outputs()
    by_sex = ["high" if utterance.speaker < "c" else "low" for utterance in setup.utterances]
    usual = score_evaluation(setup, outputs, groups={"half": by_sex})
    assert [metric.name for metric in usual.metrics] == ["uar", "wa"]
    np.testing.assert_array_equal(usual.predicted, outputs.argmax(axis=1))
    assert usual.protocol.facts["score"] == (
        "pooled UAR of a registered version, utterance level, argmax over the shared classes"
    )
    # A task that decides otherwise, with a metric of which less is better
    task = replace(setup.task, decide=lambda outputs: outputs.argmin(axis=1), answer="level", decision="least")
    other = score_evaluation(replace(setup, task=task, metrics=(ERROR, UAR, WA)), outputs, groups={"half": by_sex})
    np.testing.assert_array_equal(other.predicted, 1 - usual.predicted)
    assert other.objective == ERROR
    scores = {name: score.value for name, score in other.overall.scores.items()}
    assert scores == pytest.approx({name: scores[name] for name in ("error", "uar", "wa")})
    assert scores["error"] == pytest.approx(1 - scores["wa"]) == pytest.approx(usual.overall.scores["wa"].value)
    assert scores["uar"] == pytest.approx(1 - usual.overall.scores["uar"].value)
    for name, (recall, _) in other.parts["recall"].items():
        assert recall == pytest.approx(1 - usual.parts["recall"][name][0])
    errors = {group.name: group.scores["error"].value for group in other.groups["half"]}
    gap = other.gaps["half"]
    assert errors[gap.best] <= errors[gap.worst]
    assert gap.difference == pytest.approx(abs(errors["high"] - errors["low"]))
    # The probability is that of what was decided, and the accuracy of all utterances is WA
    assert other.coverage[0].accuracy == pytest.approx(scores["wa"])
    assert other.reliability.confidence.max() <= 0.5 <= usual.reliability.confidence.min()
    assert other.protocol.facts["score"] == (
        "pooled error rate of a registered version, utterance level, least over the shared classes"
    )


def test_a_task_that_decides_among_all_classes_together_is_not_evaluated_on_some() -> None:
    usual = TASKS.get("classification")
    levels = replace(usual, name="levels", decide=lambda outputs: np.rint(np.exp(outputs) @ np.arange(3)).astype(int))
    part, everything = (map_labels(names, ("low", "middle", "high")) for names in (["low", "high"], LEVELS))
    refuse_part(usual, part)
    refuse_part(levels, everything)
    with pytest.raises(MappingError, match=r"^task levels decides among low, middle, high together, and the"):
        refuse_part(levels, part)


@pytest.mark.slow
def test_tables_and_stored_names_are_made_of_the_metrics_and_the_tasks_answer(
    copied: Any, finished: Any, tmp_path: Path
) -> None:
    name = "ser-manifest-alex_net"
    known = set_up_evaluation(copied.workspace, name, corpus=CorpusSettings(name="manifest", data=finished.csv))
    task = replace(known.task, answer="level")
    for found, answer in ((known, "emotion"), (replace(known, task=task, metrics=(ERROR, UAR)), "level")):
        evaluation = score_evaluation(found, found.networks.outputs(), groups={})
        names = [metric.name for metric in found.metrics]
        (row,) = score_rows(evaluation)
        columns = [f"{name}{end}" for name in names for end in ENDS]
        assert list(row) == ["kind", "group", "utterances", "speakers", "classes", *columns]
        unknown = Interval(0.1, 0.4)
        scores = {name: Score(0.25, unknown, 0.25, 0.0, {}) for name in names}
        sums = sums_of(found.metrics[0], evaluation.truth, evaluation.predicted, evaluation.truth, 2)
        stressed = [Stressed("babble", "0 dB", scores, Estimate(-0.1, unknown), sums)]
        (stress,) = stress_rows(stressed)
        rest = ("difference", "difference_low", "difference_high")
        assert list(stress) == ["condition", "severity", *(f"{names[0]}{end}" for end in ENDS), names[1], *rest]
        run_id = log_evaluation(copied.workspace, evaluation, stressed)
        metrics = copied.workspace.client.get_run(run_id).data.metrics
        assert metrics[f"stress_{names[0]}/babble 0 dB"] == 0.25
        assert metrics[f"stress_mean_{names[0]}"] == 0.25
        assert metrics[f"evaluation_{names[0]}"] == evaluation.overall.scores[names[0]].value
        assert {"evaluation_recall/anger", "evaluation_recall/joy", "evaluation_ece"} <= metrics.keys()
        table = Path(copied.workspace.client.download_artifacts(run_id, "evaluation_predictions.csv", str(tmp_path)))
        header, line, *_ = table.read_text(encoding="utf-8").splitlines()
        assert header == f"utterance,speaker,corpus_{answer},{answer},predicted,anger,joy"
        utterance, _, corpus, model, *_ = line.split(",")
        assert corpus == model == utterance.split("_")[1]
        draw_stress(tmp_path / f"{answer}.svg", "a model", found.metrics[0], 0.5, stressed)
        assert f"<!-- {found.metrics[0].title} -->" in (tmp_path / f"{answer}.svg").read_text(encoding="utf-8")
