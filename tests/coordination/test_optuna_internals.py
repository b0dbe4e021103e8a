"""What ser_tune uses of Optuna beyond its public interface; a new Optuna that changes a part fails here first."""

import ast
import inspect
import re
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.storages import RDBStorage, _cached_storage
from optuna.trial import TrialState

import ser_tune
from ser_tune.coordination import optuna_internals
from ser_tune.coordination.optuna_internals import (
    PATIENT,
    FileStorage,
    PatientStorage,
    enqueued_values,
    joined,
    open_journal,
    set_attribute,
    trial_as_stored,
)

ROOM = Path(ser_tune.__file__).parent
PRIVATE = re.compile(r"optuna\.(\w+\.)*_|\._storage\b|\._trial_id\b|\._study_id\b|\bsystem_attrs\b|\bfixed_params\b")


def test_this_version_of_optuna_was_tried() -> None:
    installed = version("optuna")
    assert installed.rpartition(".")[0] in optuna_internals.TRIED, (
        f"Optuna {installed} was not tried: run tests/coordination and tests/search, then add it to "
        "optuna_internals.TRIED"
    )


def test_no_other_module_uses_private_parts() -> None:
    found = {
        path.relative_to(ROOM).as_posix()
        for path in ROOM.rglob("*.py")
        if "optuna" in (text := path.read_text(encoding="utf-8")) and PRIVATE.search(text)
    }
    assert found == {"coordination/optuna_internals.py"}


def test_no_module_patches_methods_of_optuna() -> None:
    patching = set()
    for path in ROOM.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "setattr" in text else ():
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "setattr" and "Storage" in ast.unparse(node):
                patching.add(path.relative_to(ROOM).as_posix())
    assert patching == {"coordination/optuna_internals.py"}


def test_every_method_that_the_cache_calls_waits_for_a_server() -> None:
    called = set(re.findall(r"self\._backend\.(\w+)", inspect.getsource(_cached_storage)))
    unused = {name for name in called if "heartbeat" in name} | {"_get_best_trial_id", "_get_stale_trial_ids"}
    assert called - unused <= set(PATIENT)
    assert {name for name in PATIENT if getattr(PatientStorage, name) is getattr(RDBStorage, name)} == set()


@pytest.fixture(params=["memory", "sqlite", "journal"])
def study(request: pytest.FixtureRequest, tmp_path: Path) -> optuna.Study:
    opened = {
        "memory": lambda: None,
        "sqlite": lambda: PatientStorage(f"sqlite:///{tmp_path}/optuna.db"),
        "journal": lambda: open_journal(tmp_path / "optuna.journal"),
    }
    return optuna.create_study(storage=opened[request.param]())


def test_values_and_attributes_of_a_trial_are_read_as_they_are_stored(study: optuna.Study) -> None:
    study.enqueue_trial({"x": 0.25, "y": 0.5}, user_attrs={"place": 3})
    (waiting,) = study.get_trials()
    assert (waiting.state, dict(enqueued_values(waiting)), waiting.user_attrs) == (
        TrialState.WAITING,
        {"x": 0.25, "y": 0.5},
        {"place": 3},
    )
    trial = study.ask()
    assert trial.suggest_float("x", 0, 1) == 0.25
    set_attribute(study, waiting, "died", True)  # as another process does
    stored = trial_as_stored(trial)
    assert (stored.state, stored.params, stored.user_attrs) == (
        TrialState.RUNNING,
        {"x": 0.25},
        {"place": 3, "died": True},
    )
    assert enqueued_values(stored)["y"] == 0.5
    study.tell(trial, 0.5)
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        set_attribute(study, trial, "died", True)
    assert enqueued_values(trial_as_stored(study.ask())) == {}


@pytest.fixture
def filed(tmp_path: Path) -> optuna.Study:
    return optuna.create_study(storage=FileStorage(f"sqlite:///{tmp_path}/optuna.db"))


def test_joined_writes_are_one_commit_that_others_see_at_its_end(filed: optuna.Study, commits: Any) -> None:
    other = optuna.load_study(study_name=filed.study_name, storage=filed._storage._backend.url)
    before = commits("optuna")
    with joined(filed):
        filed.enqueue_trial({"x": 0.25})
        trial = filed.ask()
        assert trial.suggest_float("x", 0, 1) == 0.25
        with joined(filed):  # an inner context ends with the outer
            for fold in range(3):
                trial.report(fold / 10, fold)
                trial.set_user_attr("folds", fold)
        stored = trial_as_stored(trial)
        assert (stored.params, stored.user_attrs) == ({"x": 0.25}, {"folds": 2})
        assert filed.get_trials(deepcopy=False)[0].intermediate_values == {0: 0.0, 1: 0.1, 2: 0.2}
        assert (commits("optuna"), other.get_trials()) == (before, [])
    assert commits("optuna") == before + 1
    assert other.get_trials() == filed.get_trials()
    filed.tell(trial, 0.5)
    assert commits("optuna") == before + 2


def test_an_error_undoes_all_joined_writes(filed: optuna.Study) -> None:
    trial = filed.ask()
    with pytest.raises(KeyboardInterrupt), joined(filed):  # noqa: PT012 - the error ends it
        trial.set_user_attr("folds", 1)
        raise KeyboardInterrupt
    assert trial_as_stored(trial).user_attrs == {}
    filed.tell(filed.ask(), 0.5)
    with pytest.raises(StorageInternalError, match="undone"), joined(filed):  # noqa: PT012 - the error ends it
        trial.set_user_attr("folds", 2)
        with suppress(optuna.exceptions.UpdateFinishedTrialError):
            set_attribute(filed, filed.trials[1], "folds", 3)
    assert trial_as_stored(trial).user_attrs == {}
    trial.set_user_attr("folds", 4)  # and the next is stored as ever
    assert trial_as_stored(trial).user_attrs == {"folds": 4}


@pytest.mark.parametrize("ended", range(6))
def test_a_study_whose_joined_writes_were_undone_is_that_of_the_database(filed: optuna.Study, ended: int) -> None:
    def _others() -> list[optuna.trial.FrozenTrial]:
        return optuna.load_study(study_name=filed.study_name, storage=filed._storage._backend.url).get_trials()

    known, new = filed.ask(), list[optuna.Trial]()
    steps = (
        lambda: filed.enqueue_trial({"x": 0.25}),
        lambda: new.append(filed.ask()),
        lambda: new[0].suggest_float("x", 0, 1),
        lambda: filed.tell(new[0], 0.5),
        lambda: known.suggest_float("x", 0, 1),
    )
    with pytest.raises(KeyboardInterrupt), joined(filed):  # noqa: PT012 - the error ends it
        for step in steps[:ended]:
            step()
            filed.get_trials(deepcopy=False)
        raise KeyboardInterrupt
    assert filed.get_trials() == _others()
    assert [trial.number for trial in filed.get_trials()] == [0]
    known.suggest_float("y", 0, 1)
    filed.tell(known, 0.75)
    filed.tell(filed.ask(), 0.25)
    assert filed.get_trials() == _others()
    assert [trial.value for trial in filed.get_trials()] == [0.75, 0.25]


def test_importances_are_those_of_ped_anova() -> None:
    """`report` shows Optuna's default evaluator; another default would change a stored study's page."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        trial = study.ask()
        study.tell(trial, trial.suggest_float("x", 0, 1) + 0.1 * trial.suggest_float("y", 0, 1))
    assert get_param_importances(study) == get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
