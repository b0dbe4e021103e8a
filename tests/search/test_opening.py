"""A study's first trials: the published configuration completely, then the default, then the best of other studies."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from ser_tune.coordination import Rerun, load_study, values_of
from ser_tune.errors import StudyError
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.search import StudySummary, run_study

pytestmark = pytest.mark.slow

Study = Callable[..., StudySummary]
PUBLISHED = {"optimizer.name": "sgd", "optimizer.learning_rate": 0.5, "optimizer.weight_decay": 1e-3}
"""A setting that is not searched, one outside its range, and one inside."""
RATE, DECAY = "optimizer.learning_rate", "optimizer.weight_decay"


@pytest.fixture
def study(tiny: Callable[..., Any], project: Project, recorder: Any) -> Study:
    """Run a tiny study of an architecture with a published configuration: `study(2)` is `--trials 2`."""

    def _study(
        trials: int, published: dict[str, object] = PUBLISHED, rerun: Rerun | None = None, **settings: object
    ) -> StudySummary:
        quick = {"training.epochs": 1, "training.batch_size": 4, "study.trials": trials, "study.pruner": "none"}
        definition = replace(tiny(**({"name": "one"} | quick | settings)), published=published)
        return run_study(prepare(definition, project), project, recorder, rerun=rerun)

    return _study


def _trials(project: Project, name: str = "one") -> list[FrozenTrial]:
    return load_study(name, project)[0].get_trials()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _ignore(*_: object) -> None:
    pass


def test_trial_0_is_the_published_configuration_and_trial_1_the_default(
    study: Study, recorder: Any, project: Project
) -> None:
    study(3)
    (first, second, third) = (config.optimizer for _, config, _ in recorder.trials)
    assert (first.name, first.learning_rate, first.weight_decay) == ("sgd", 0.5, 1e-3)
    assert (second.name, second.learning_rate, second.weight_decay) == ("adam", 0.003, 1e-4)
    assert third.name == "adam"
    assert third.learning_rate != 0.003
    (note,) = (note for note in recorder.started[0].notes if "published" in note)
    assert note == (
        "trial 0 is the published configuration: optimizer.learning_rate is 0.5, not 0.003; optimizer.name is 'sgd', "
        "not 'adam'; optimizer.weight_decay is 0.001, not 0.0001; trial 1 is the default"
    )
    # The sampler learns from all trials: each has a value in the range of all that varies
    trials = _trials(project)
    assert [set(trial.params) for trial in trials] == [{RATE, DECAY}] * 3
    assert trials[0].params[RATE] == 0.03
    assert values_of(trials[0]) == PUBLISHED


def test_where_nothing_is_published_trial_0_is_the_default(study: Study, recorder: Any) -> None:
    study(2, published={})
    assert [config.optimizer.learning_rate == 0.003 for _, config, _ in recorder.trials] == [True, False]


def test_a_study_that_goes_on_does_not_begin_again(study: Study, recorder: Any) -> None:
    study(1)
    study(3)
    rates = [config.optimizer.learning_rate for _, config, _ in recorder.trials]
    assert rates[:2] == [0.5, 0.003]
    assert rates[2] not in rates[:2]
    assert not [note for note in recorder.started[1].notes if "published" in note]


def test_an_interrupted_trial_0_is_still_the_published_configuration(study: Study, recorder: Any) -> None:
    recorder.on_trial = _interrupt
    assert study(2).interrupted
    recorder.on_trial = _ignore
    assert study(2).complete == 2
    assert sorted(config.optimizer.name for _, config, _ in recorder.trials[1:]) == ["adam", "sgd"]


@pytest.mark.slow
def test_a_confirmation_trains_the_published_configuration_again(study: Study, recorder: Any, project: Project) -> None:
    study(10, **{"study.confirm": 0.5})
    again = [trial for trial in _trials(project) if trial.user_attrs.get("confirms") == 0]
    assert again
    assert [values_of(trial) for trial in again] == [PUBLISHED] * len(again)
    configs = {number: config for number, config, _ in recorder.trials}
    assert all(configs[trial.number].optimizer.name == "sgd" for trial in again)


def test_a_rerun_trains_what_the_search_could_not_propose(study: Study, recorder: Any, project: Project) -> None:
    queue = [{RATE: 0.003, DECAY: 1e-4}, PUBLISHED]
    study(2, rerun=Rerun(queue=queue, study_id="earlier"))
    assert [values_of(trial) for trial in _trials(project)] == queue
    assert [config.optimizer.name for _, config, _ in recorder.trials] == ["adam", "sgd"]


@pytest.fixture
def earlier(project: Project, tiny: Callable[..., Any], recorder: Any) -> Callable[..., list[dict[str, Any]]]:
    """Store a study called `earlier` as if it had run: UAR and rate of each trial; returns their values, best first."""

    def _earlier(*rates: float, **settings: object) -> list[dict[str, Any]]:
        definition = tiny(name="earlier", **({"study.trials": 1, "study.timeout_s": 1e-6} | settings))
        run_study(prepare(definition, project), project, recorder)
        study, _ = load_study("earlier", project)
        ranges = {
            RATE: optuna.distributions.FloatDistribution(1e-6, 1.0, log=True),
            DECAY: optuna.distributions.FloatDistribution(1e-5, 1e-2, log=True),
        }
        for number, rate in enumerate(rates):
            params = {RATE: rate, DECAY: 1e-3}
            made = optuna.trial.create_trial(params=params, distributions=ranges, value=0.9 - 0.1 * number)
            study.add_trial(made)
        return [{RATE: rate, DECAY: 1e-3} for rate in rates]

    return _earlier


def test_a_warm_start_trains_the_five_best_trials_of_another_study_after_the_default(
    study: Study, earlier: Callable[..., list[dict[str, Any]]], project: Project
) -> None:
    found = earlier(0.004, 0.005, 0.006, 0.007, 0.008, 0.009)
    warm = {"study.warm_start": ["earlier"], "study.confirm": 0.0}
    study(3, published={}, **warm)
    assert [values_of(trial) for trial in _trials(project)[1:]] == found[:2]
    study(7, published={}, **warm)  # goes on where it was, and begins nothing twice
    trials = [values_of(trial) for trial in _trials(project)]
    assert trials[1:6] == found[:5]
    assert trials[6] not in [*found, trials[0]]
    assert {trial.state for trial in _trials(project)} == {TrialState.COMPLETE}


def test_what_a_warm_start_cannot_take_is_told_and_not_replaced_silently(
    study: Study, earlier: Callable[..., list[dict[str, Any]]], project: Project, recorder: Any
) -> None:
    earlier(0.5)
    study(2, published={}, **{"study.warm_start": ["earlier"], DECAY: 1e-2})
    assert _trials(project)[1].params == {RATE: 0.03}
    assert recorder.started[-1].notes[-1] == (
        "trial 1 of earlier cannot be taken as it was: optimizer.learning_rate is 0.03, not 0.5; "
        "optimizer.weight_decay is 0.01, not 0.001"
    )


def test_a_warm_start_from_another_protocol_is_refused(
    study: Study, earlier: Callable[..., list[dict[str, Any]]], project: Project
) -> None:
    earlier(0.004, **{"training.selection": "best_validation_score"})
    message = (
        "study 'earlier' ran under another protocol, so 'one' cannot start from its trials: "
        "epoch_selection is 'last', not 'best_validation_uar'"
    )
    with pytest.raises(StudyError, match=f"^{message}$"):
        study(2, **{"study.warm_start": ["earlier"]})
    with pytest.raises(StudyError, match="no study 'nowhere'"):
        study(2, **{"study.warm_start": ["nowhere"]})
    assert optuna.get_all_study_names(project.storage_url) == ["earlier"]
