"""Studies whose scores are low or negative where they are good do what studies by a score of the usual kind do."""

from collections.abc import Callable, Mapping
from typing import Any

import optuna
import pytest

from ser_tune.coordination import fold_scores, load_study, open_storage, read_statuses
from ser_tune.coordination.stored_trials import FOLDS_ENDED
from ser_tune.errors import StudyError
from ser_tune.project import Project
from ser_tune.search import StudySummary, selection_of

Run = Callable[..., StudySummary]

pytestmark = pytest.mark.usefixtures("plugged")

RACED = {
    "study.pruner": "racing",
    "study.race_after": 2,
    "study.complete_share": 0.0,
    "study.startup_trials": 2,
    "study.stop_when_converged": True,
    "seed": 3,
}
ORDERED_AS: Mapping[str, Callable[[float], float]] = {
    "wa": lambda value: value,
    "error": lambda value: 1 - value,
    "shortfall": lambda value: value - 1,
}
"""Each objective's score from WA."""


@pytest.fixture(scope="module")
def wa() -> dict[str, Any]:
    """What the study by WA came to."""
    return {}


@pytest.mark.slow
@pytest.mark.parametrize("objective", list(ORDERED_AS))
def test_a_study_searches_races_confirms_and_goes_on_by_any_objective(
    objective: str, run: Run, recorder: Any, project: Project, wa: dict[str, Any]
) -> None:
    settings = RACED | {"study.objectives": (objective,)}
    run(4, **settings)
    summary = run(12, **settings)  # goes on
    study, definition = load_study("one", project)
    of_wa = ORDERED_AS[objective]
    complete = {one.number: one.value for one in study.trials if one.state.name == "COMPLETE"}
    selection = selection_of(study)
    assert selection is not None
    assert summary.gain is not None
    told = {
        "states": [one.state.name for one in study.trials],
        "folds": [one.user_attrs[FOLDS_ENDED] for one in study.trials],
        "best": summary.best and summary.best[0],
        "confirmed": [summary.gain.winner.trial, [one.confirms for one in recorder.outcomes]],
        "chosen": (selection.winner, selection.first, selection.trials),
        "status": read_statuses(project)[0].best and read_statuses(project)[0].best[0],
        "params": [one.params for one in study.trials],
    }
    assert definition.objective.name == objective
    assert study.direction.name == ("MINIMIZE" if objective == "error" else "MAXIMIZE")
    assert {one.user_attrs[FOLDS_ENDED] for one in study.trials if one.number in complete} == {3}
    for outcome in recorder.outcomes:
        if outcome.state == "COMPLETE":
            assert outcome.scores is not None
            assert complete[outcome.number] == outcome.scores[objective].value
            assert len(fold_scores(study.trials[outcome.number])) == 3
    if objective == "wa":
        wa |= told | {"values": complete, "selection": selection}
    assert told == {key: wa[key] for key in told}
    assert "PRUNED" in told["states"]
    assert complete == {number: pytest.approx(of_wa(value)) for number, value in wa["values"].items()}
    # The winner's gains are positive where it is better, whichever way that is
    corrected, before = selection.corrected, wa["selection"].corrected
    assert corrected.over_first.value == pytest.approx(before.over_first.value)
    assert corrected.over_first.interval.low == pytest.approx(before.over_first.interval.low)
    assert corrected.score.value == pytest.approx(of_wa(before.score.value))
    assert f"corrected_{objective}" in selection.metrics


@pytest.mark.slow
def test_a_study_of_another_objective_is_refused_in_one_sentence(run: Run, project: Project) -> None:
    run(1, **{"study.objectives": ("error",)})
    with pytest.raises(StudyError) as caught:
        run(2)
    assert "\n" not in str(caught.value)
    assert "study 'one' exists and differs: " in str(caught.value)
    assert "objectives is None, not 'error'" in str(caught.value)


def test_a_study_that_others_began_in_the_other_direction_is_refused(run: Run, project: Project) -> None:
    optuna.create_study(study_name="one", storage=open_storage(project), direction="minimize")
    with pytest.raises(StudyError, match="study 'one' exists, and its direction is minimize; UAR needs maximize"):
        run(1)


@pytest.mark.slow
def test_folds_without_a_score_leave_the_trial_its_pooled_score(run: Run, recorder: Any, project: Project) -> None:
    summary = run(3, **(RACED | {"study.objectives": ("of_many",)}))
    study, _ = load_study("one", project)
    assert (summary.complete, summary.best) == (3, (study.best_trial.number, study.best_value))
    for trial, outcome in zip(study.trials, recorder.outcomes, strict=True):
        assert trial.value == outcome.scores["wa"].value == outcome.scores["of_many"].value
        assert (trial.user_attrs[FOLDS_ENDED], trial.intermediate_values) == (3, {})


@pytest.mark.slow
def test_a_trial_without_a_score_fails_and_the_study_goes_on(
    run: Run, recorder: Any, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.plugged.MANY", 1000)
    summary = run(2, **{"study.objectives": ("of_many",)})
    assert (summary.complete, summary.failed, summary.best) == (0, 2, None)
    reason = "UndefinedScoreError: the pooled validation WA of many of its predictions is not defined"
    assert [one.reason for one in recorder.outcomes] == [reason] * 2
    assert read_statuses(project)[0].failed == {0: reason, 1: reason}


@pytest.mark.slow
def test_the_status_of_a_study_is_read_without_the_package_of_its_objective(
    run: Run, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = run(2, **{"study.objectives": ("error",)})
    monkeypatch.setattr("ser_tune.components._plugins", lambda group: {})
    (status,) = read_statuses(project)
    assert (status.best, status.objective.name, status.objective.title) == (summary.best, "error", "error")
