"""Training again what an earlier study found: its configurations in order, on fresh seeds, none lost."""

from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from ser_tune.coordination import Rerun
from ser_tune.errors import NonFiniteLossError, StudyError
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.search import StudySummary, run_study

RATES = (0.003, 0.02)
QUEUE = [{"optimizer.learning_rate": rate, "optimizer.weight_decay": 1e-4} for rate in RATES]


@pytest.fixture
def rerun(tiny: Callable[..., Any], project: Project, recorder: Any) -> Callable[..., StudySummary]:
    """Train configurations again, each as often as asked for: `rerun(QUEUE * 2)`."""

    def _rerun(queue: list[dict[str, float]], earlier: str = "earlier", **settings: object) -> StudySummary:
        quick = {
            "training.epochs": 1,
            "training.batch_size": 4,
            "study.trials": len(queue),
            "study.pruner": "none",
            "name": "one",
            "seed": 1000,
        }
        prepared = prepare(tiny(**(quick | settings)), project)
        return run_study(prepared, project, recorder, rerun=Rerun(study_id=earlier, queue=queue))

    return _rerun


def _trials(project: Project) -> list[optuna.trial.FrozenTrial]:
    storage = optuna.storages.RDBStorage(project.storage_url, skip_compatibility_check=True)  # which takes long
    return optuna.load_study(study_name="one", storage=storage).get_trials(deepcopy=False)


def _rates(project: Project, *states: TrialState) -> list[float]:
    return [one.params["optimizer.learning_rate"] for one in _trials(project) if one.state in states]


@pytest.mark.slow
def test_a_rerun_trains_its_queue_on_fresh_seeds_and_says_what_it_confirms(
    rerun: Callable[..., StudySummary], recorder: Any, project: Project
) -> None:
    assert rerun(QUEUE * 2).complete == 4
    assert _rates(project, TrialState.COMPLETE) == [*RATES, *RATES]
    assert [config.seed for _, config, _ in recorder.trials] == [1000, 1001, 1002, 1003]
    (start,) = recorder.started
    assert start.confirms == "earlier"
    assert start.study_id != "earlier"


@pytest.mark.slow
def test_a_rerun_goes_on_with_its_queue_and_takes_more_of_the_same(
    rerun: Callable[..., StudySummary], project: Project
) -> None:
    assert rerun(QUEUE * 2, **{"study.trials": 1}).complete == 1
    assert rerun(QUEUE * 2).complete == 4
    assert rerun(QUEUE * 2).complete == 4
    assert rerun(QUEUE * 3).complete == 6
    # Fewer seeds than there are trained nothing anew
    assert rerun(QUEUE).complete == 6
    assert _rates(project, TrialState.COMPLETE) == [*RATES] * 3


@pytest.mark.slow
def test_a_rerun_of_other_configurations_is_refused(rerun: Callable[..., StudySummary], project: Project) -> None:
    assert rerun(QUEUE).complete == 2
    with pytest.raises(StudyError, match="study 'one' trains other configurations than those asked for"):
        rerun(QUEUE[::-1] * 2)
    assert _rates(project, TrialState.COMPLETE) == [*RATES]


@pytest.mark.slow
def test_a_rerun_that_is_interrupted_loses_no_configuration(
    rerun: Callable[..., StudySummary], recorder: Any, project: Project
) -> None:
    def interrupt(fold: int, epoch: int) -> None:
        if len(recorder.trials) == 2:
            raise KeyboardInterrupt

    recorder.on_epoch = interrupt
    assert rerun(QUEUE * 2).interrupted
    recorder.on_epoch = lambda fold, epoch: None
    assert rerun(QUEUE * 2).complete == 4
    assert sorted(_rates(project, TrialState.COMPLETE)) == sorted([*RATES, *RATES])
    # The second was left unfinished; it comes first, on its seed
    assert [config.seed for _, config, _ in recorder.trials] == [1000, 1001, 1001, 1002, 1003]
    assert [number for number, *_ in recorder.trials] == [0, 1, 1, 2, 3]


@pytest.mark.slow
def test_what_fails_is_trained_again_by_the_next_call_on_its_seed(
    rerun: Callable[..., StudySummary], recorder: Any, project: Project
) -> None:
    def fail(fold: int, epoch: int) -> None:
        if len(recorder.trials) == 1:
            raise NonFiniteLossError("the loss is nan")

    recorder.on_epoch = fail
    summary = rerun(QUEUE)
    assert (summary.complete, summary.failed) == (1, 1)
    summary = rerun(QUEUE)
    assert (summary.complete, summary.failed, sorted(summary.finished)) == (2, 0, [0, 1])
    assert recorder.started[-1].trials_to_run == 1
    assert [config.seed for _, config, _ in recorder.trials] == [1000, 1001, 1000]
    assert _rates(project, TrialState.COMPLETE) == [*RATES[::-1]]
    assert rerun(QUEUE).complete == 2
    assert recorder.started[-1].trials_to_run == 0


def test_a_rerun_of_no_earlier_study_may_be_promoted(rerun: Callable[..., StudySummary], project: Project) -> None:
    """As the registry refuses only what trains another study's best again."""
    rerun(QUEUE[:1], earlier="")
    storage = optuna.storages.RDBStorage(project.storage_url, skip_compatibility_check=True)
    assert "queue" not in optuna.load_study(study_name="one", storage=storage).user_attrs
