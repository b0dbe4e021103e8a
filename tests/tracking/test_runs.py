"""Finding runs: by study, page by page, and with the protocol that their tags tell of."""

import pytest
from mlflow import MlflowClient

from ser_tune.config import Project
from ser_tune.errors import ProtocolError
from ser_tune.protocol import Protocol
from ser_tune.tracking import STUDY_TAG, TRIAL_TAG, find_runs, open_tracking, protocol_of, protocol_tags, search_runs

FACTS = {"score": "pooled validation UAR", "folds": "3: validation/test bob/ada", "holdout": "none"}


@pytest.fixture
def client(project: Project) -> MlflowClient:
    return open_tracking(project)


def test_a_run_has_the_protocol_that_it_was_tagged_with(client: MlflowClient) -> None:
    protocol = Protocol(facts=FACTS)
    tags = {**protocol_tags(protocol), "version.torch": "2"}
    run = client.create_run("0", tags=tags)
    found = protocol_of(client.get_run(run.info.run_id))
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


def test_a_studys_parent_and_trials_are_found_and_no_others(client: MlflowClient) -> None:
    mine, other = {STUDY_TAG: "mine"}, {STUDY_TAG: "other"}
    parent = client.create_run("0", tags=mine)
    trials = {number: client.create_run("0", tags={**mine, TRIAL_TAG: str(number)}) for number in (0, 11)}
    client.create_run("0", tags={**other, TRIAL_TAG: "1"})
    client.create_run("0")
    found, runs = find_runs(client, "0", "mine")
    assert found is not None
    assert found.info.run_id == parent.info.run_id
    assert {number: run.info.run_id for number, run in runs.items()} == {
        number: run.info.run_id for number, run in trials.items()
    }
    assert find_runs(client, "0", "nobody") == (None, {})


def test_runs_are_searched_for_in_every_experiment_unless_told(client: MlflowClient) -> None:
    elsewhere = client.create_experiment("elsewhere")
    here, there = client.create_run("0", tags={"a": "b"}), client.create_run(elsewhere, tags={"a": "b"})
    found = [run.info.run_id for run in search_runs(client, "tags.a = 'b'")]
    assert sorted(found) == sorted([here.info.run_id, there.info.run_id])
    assert [run.info.run_id for run in search_runs(client, "tags.a = 'b'", [elsewhere])] == [there.info.run_id]
