"""Finding runs: by study, page by page, and with the protocol that their tags tell of."""

import pytest

from ser_tune.errors import ProtocolError
from ser_tune.project import Project
from ser_tune.protocol import Protocol
from ser_tune.tracking import STUDY_TAG, TRIAL_TAG, Workspace, find_runs, protocol_of, protocol_tags, search_runs

FACTS = {"score": "pooled validation UAR", "folds": "3: validation/test bob/ada", "holdout": "none"}


@pytest.fixture
def workspace(project: Project) -> Workspace:
    return Workspace(project)


def test_a_run_has_the_protocol_that_it_was_tagged_with(workspace: Workspace) -> None:
    protocol = Protocol(facts=FACTS)
    tags = {**protocol_tags(protocol), "version.torch": "2"}
    run = workspace.client.create_run("0", tags=tags)
    found = protocol_of(workspace.client.get_run(run.info.run_id))
    assert found.facts == FACTS
    assert found.fingerprint == protocol.fingerprint == run.data.tags["ser_tune.fingerprint"]


def test_another_protocol_is_refused_with_every_fact_that_differs() -> None:
    ours = Protocol(facts=FACTS)
    ours.refuse_other(Protocol(facts=dict(FACTS)), "a and b cannot be compared")
    with pytest.raises(ProtocolError) as refused:
        ours.refuse_other(Protocol(facts={**FACTS, "holdout": "dan", "extra": "1"}), "a and b cannot be compared")
    assert str(refused.value) == (
        "a and b cannot be compared: their protocols differ: extra is None, not '1'; holdout is 'none', not 'dan'"
    )


def test_a_studys_parent_and_trials_are_found_and_no_others(workspace: Workspace) -> None:
    mine, other = {STUDY_TAG: "mine"}, {STUDY_TAG: "other"}
    parent = workspace.client.create_run("0", tags=mine)
    trials = {number: workspace.client.create_run("0", tags={**mine, TRIAL_TAG: str(number)}) for number in (0, 11)}
    workspace.client.create_run("0", tags={**other, TRIAL_TAG: "1"})
    workspace.client.create_run("0")
    found, runs = find_runs(workspace, "0", "mine")
    assert found is not None
    assert found.info.run_id == parent.info.run_id
    assert {number: run.info.run_id for number, run in runs.items()} == {
        number: run.info.run_id for number, run in trials.items()
    }
    assert find_runs(workspace, "0", "nobody") == (None, {})


def test_runs_are_searched_for_in_every_experiment_unless_told(workspace: Workspace) -> None:
    elsewhere = workspace.client.create_experiment("elsewhere")
    here, there = (
        workspace.client.create_run("0", tags={"a": "b"}),
        workspace.client.create_run(elsewhere, tags={"a": "b"}),
    )
    found = [run.info.run_id for run in search_runs(workspace, "tags.a = 'b'")]
    assert sorted(found) == sorted([here.info.run_id, there.info.run_id])
    assert [run.info.run_id for run in search_runs(workspace, "tags.a = 'b'", [elsewhere])] == [there.info.run_id]
