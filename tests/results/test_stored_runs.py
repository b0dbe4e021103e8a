"""What a person can call a result, and the answer to a name that means none."""

from typing import Any

import pytest

from ser_tune.errors import RegistryError
from ser_tune.results import find_results, find_run
from ser_tune.tracking import BEST_TAG, CONFIRMED_TAG, STUDY_NAME_TAG, STUDY_TAG, TRIAL_TAG, Workspace

NAME = "ser-manifest-alex_net"


def test_every_trial_of_a_study_has_a_name(first: Any) -> None:
    for number, run in first.runs.items():
        assert find_run(first.workspace, f"first:{number}").info.run_id == run.info.run_id


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nobody", f"'nobody' is no registered model, study or run; models: {NAME}; studies: first"),
        ("it's", f"\"?'it's' is no registered model, study or run; models: {NAME}; studies: first"),
        ("first:9", "study 'first' has no trial 9"),
        ("0" * 32, f"no run '{'0' * 32}' in sqlite"),
        (f"{NAME}/9", f"'{NAME}' has no version '9'; it has: 1"),
        (f"{NAME}@king", f"'{NAME}' has no alias 'king'"),
    ],
)
def test_what_does_not_exist_is_answered_with_what_does(first: Any, reference: str, message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        find_run(first.workspace, reference)


def test_an_empty_store_has_neither_models_nor_studies(project: Any) -> None:
    with pytest.raises(RegistryError, match="models: none; studies: none"):
        find_run(Workspace(project), "x")


def test_a_trial_that_did_not_complete_is_no_result(project: Any) -> None:
    workspace = Workspace(project)
    tags = {STUDY_TAG: "a" * 32, STUDY_NAME_TAG: "pruned", TRIAL_TAG: "4"}
    run_id = workspace.client.create_run("0", tags=tags).info.run_id
    workspace.client.log_metric(run_id, "validation_uar", 0.5)  # written before its model, which found no room
    workspace.client.set_terminated(run_id, "FAILED")
    for reference in (run_id, "pruned:4"):
        with pytest.raises(RegistryError, match=f"'{reference}' is run {run_id}, which has no complete trial's scores"):
            find_run(workspace, reference)
    with pytest.raises(RegistryError, match="study 'pruned' has no complete trial"):
        find_run(workspace, "pruned")


def test_of_two_studies_of_one_name_the_newer_is_meant(project: Any) -> None:
    workspace = Workspace(project)
    runs = {}
    for started, study in ((1000, "old"), (2000, "new")):
        tags = {STUDY_TAG: study, STUDY_NAME_TAG: "twice"}
        workspace.client.create_run("0", tags={**tags, BEST_TAG: "1" if study == "old" else "0"}, start_time=started)
        for number in range(2 if study == "old" else 1):
            run = workspace.client.create_run(
                "0", tags={**tags, TRIAL_TAG: str(number)}, start_time=started + 10 * number + 1
            )
            workspace.client.log_metric(run.info.run_id, "validation_uar", 0.5)
            workspace.client.set_terminated(run.info.run_id)
            runs[study, number] = run.info.run_id
    assert find_run(workspace, "twice").info.run_id == runs["new", 0]
    assert find_run(workspace, "twice:0").info.run_id == runs["new", 0]
    with pytest.raises(RegistryError, match="study 'twice' has no trial 1"):
        find_run(workspace, "twice:1")


def test_a_study_with_a_confirmation_means_all_fresh_seeds_of_its_winner(project: Any) -> None:
    workspace = Workspace(project)
    study = {STUDY_TAG: "s", STUDY_NAME_TAG: "confirmed"}
    # Two searched trials, then trial 1 on three fresh seeds, of which the study calls the median one its best
    trials = [("0.5", 0, 0.6), ("1.0", 1, 0.9), ("1.0", 7, 0.5), ("1.0", 8, 0.9), ("1.0", 9, 0.7)]
    for number, (width, seed, score) in enumerate(trials):
        confirms = {CONFIRMED_TAG: "1"} if number > 1 else {}
        run_id = workspace.client.create_run("0", tags={**study, TRIAL_TAG: str(number), **confirms}).info.run_id
        workspace.client.log_param(run_id, "model.width", width)
        workspace.client.log_param(run_id, "seed", seed)
        workspace.client.log_metric(run_id, "validation_uar", score)
        workspace.client.set_terminated(run_id)
    workspace.client.create_run("0", tags={**study, BEST_TAG: "4"})
    (found,) = find_results(workspace, "confirmed")
    assert {run.data.tags[TRIAL_TAG] for run in found.runs} == {"2", "3", "4"}
    assert found.mean == pytest.approx(0.7)
    # Of several, all are searched ones
    assert [result.mean for result in find_results(workspace, "confirmed", 2)] == [0.9, 0.6]
