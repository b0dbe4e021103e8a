"""Promotions at the same time: whoever is last, the best of them is champion."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from ser_tune.protocol import Protocol
from ser_tune.registry import Promotion, registration
from ser_tune.registry.model_card import Networks
from ser_tune.registry.registration import Registration
from ser_tune.registry.verdict import Verdict, decide, promotion_lock
from ser_tune.search import define_study
from ser_tune.tracking import MODEL_TAG, Workspace
from ser_tune.tracking.encoders import SelfContained

SPEAKERS = 6
POOR, GOOD, BEST = ([[True, True, True, first], *[[True, True, True, others]] * (SPEAKERS - 1)] for first, others in (
    (False, False),
    (True, False),
    (True, True),
))  # fmt: skip
STEP_S = 0.5
"""How long a promotion waits for the others in the middle of its own."""


def register(workspace: Workspace, name: str, run_id: str) -> Promotion:
    """Promote a planted run by the rule `better`; it has a model in name only."""
    with pytest.MonkeyPatch.context() as patch:
        _without_models(patch)
        return _registration(workspace, name, run_id).register()


def _without_models(patch: pytest.MonkeyPatch) -> None:
    def empty_model(workspace: Workspace, run: Run, _: str) -> SelfContained:
        made = workspace.client.create_logged_model(run.info.experiment_id, source_run_id=run.info.run_id)
        return SelfContained(str(made.model_id), {})

    patch.setattr(registration, "log_self_contained", empty_model)
    patch.setattr(registration, "log_training_sounds", lambda *_, **__: None)
    patch.setattr(Registration, "_card", lambda *_: "")


def _registration(workspace: Workspace, name: str, run_id: str) -> Registration:
    workspace.client.set_tag(run_id, MODEL_TAG, f"m-{run_id}")
    run = workspace.client.get_run(run_id)
    prepared: Any = SimpleNamespace(
        protocol=Protocol({"normalisation_scope": "train"}),
        corpus=SimpleNamespace(name="made-up"),
        targets=SimpleNamespace(names=("joy",)),
        definition=define_study(flags={"model.name": "light_cnn"}),
    )
    return Registration(
        workspace=workspace,
        prepared=prepared,
        run=run,
        metrics=run.data.metrics,
        name=name,
        study="one",
        trial=0,
        networks=Networks(3),
        rule="better",
    )


@pytest.fixture
def named_only(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_models(monkeypatch)


def _champion_run(planting: Any) -> str:
    return str(planting.workspace.client.get_model_version_by_alias(planting.name, "champion").run_id)


@pytest.mark.slow
@pytest.mark.usefixtures("named_only")
def test_of_two_threads_that_decide_at_once_the_better_is_champion(
    planting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    planting.champion(planting.run(POOR))
    good, best = planting.run(GOOD).info.run_id, planting.run(BEST).info.run_id
    both_decided = threading.Barrier(2)

    def decide_together(workspace: Workspace, name: str, run: Any, *how: Any) -> Verdict:
        verdict = decide(workspace, name, run, *how)
        try:
            both_decided.wait(STEP_S)
        except threading.BrokenBarrierError:  # the other waits for this one
            return verdict
        if run.info.run_id == good:  # the worse is the last to write
            time.sleep(STEP_S)
        return verdict

    monkeypatch.setattr(registration, "decide", decide_together)
    promotions = [
        threading.Thread(
            target=_registration(planting.workspace, planting.name, run_id).register,
        )
        for run_id in (good, best)
    ]
    for promotion in promotions:
        promotion.start()
    for promotion in promotions:
        promotion.join()
    assert _champion_run(planting) == best


@pytest.mark.slow
@pytest.mark.usefixtures("named_only")
@pytest.mark.parametrize("moment", ["before the alias is set", "after the alias is set"])
@pytest.mark.parametrize(("theirs", "alias"), [(BEST, "challenger"), (POOR, "champion")], ids=["better", "worse"])
def test_a_champion_that_another_machine_makes_meanwhile_is_compared_with(
    planting: Any, monkeypatch: pytest.MonkeyPatch, moment: str, theirs: Any, alias: str
) -> None:
    client, name = planting.workspace.client, planting.name
    planting.champion(planting.run(POOR))
    other = planting.run(theirs)
    meanwhile = [other]

    def decide_slowly(*how: Any) -> Verdict:
        verdict = decide(*how)
        if meanwhile and moment == "before the alias is set":
            planting.champion(meanwhile.pop())
        return verdict

    class Shared(MlflowClient):
        def set_registered_model_alias(self, *of: str) -> None:
            super().set_registered_model_alias(*of)
            if meanwhile and moment == "after the alias is set":
                planting.champion(meanwhile.pop())

    monkeypatch.setattr(registration, "decide", decide_slowly)
    mine = planting.run(GOOD)
    shared = Workspace(planting.project)
    shared.client = Shared(client.tracking_uri, client._registry_uri)
    found = _registration(shared, name, mine.info.run_id).register()
    assert found.alias == alias
    assert _champion_run(planting) == (mine if alias == "champion" else other).info.run_id
    theirs_version = client.search_model_versions(f"name = '{name}' and run_id = '{other.info.run_id}'")[0].version
    tags = client.get_model_version(name, found.version).tags
    assert tags["compared_with"] == f"version {theirs_version}"
    assert tags["verdict"] == f"{alias}: {found.reason}"


@pytest.mark.usefixtures("named_only")
def test_a_promotion_waits_for_that_of_another_process(planting: Any) -> None:
    planting.champion(planting.run(POOR))
    good = planting.run(GOOD).info.run_id
    promotion = threading.Thread(
        target=_registration(planting.workspace, planting.name, good).register,
    )
    with promotion_lock(planting.project):
        promotion.start()
        promotion.join(STEP_S)
        assert promotion.is_alive()
        assert len(planting.workspace.client.search_model_versions(f"name = '{planting.name}'")) == 1
    promotion.join()
    assert _champion_run(planting) == good


PROCESSES = """
import os, sys, time
from pathlib import Path
sys.path[:0] = [{here!r}]
import test_champion
from ser_tune.project import Project
from ser_tune.registry import registration
from ser_tune.tracking import Workspace

folder, runs = Path({folder!r}), {runs}

def promote(place, run):
    def decide_together(*how):
        verdict = original(*how)
        (folder / f"decided-{{place}}").touch()
        wait_for("decided", test_champion.STEP_S)
        time.sleep(place * 0.1)  # the worst is the last to write
        return verdict

    original, registration.decide = registration.decide, decide_together
    workspace = Workspace(Project(Path({root!r}), {uri!r}, "", Path(".")))
    workspace.client.search_experiments()
    (folder / f"ready-{{place}}").touch()
    wait_for("ready", 60)
    test_champion.register(workspace, {name!r}, run)

def wait_for(what, seconds):
    end = time.monotonic() + seconds
    while len(list(folder.glob(f"{{what}}-*"))) < len(runs) and time.monotonic() < end:
        time.sleep(0.01)

children = []
for place, run in enumerate(runs):
    children.append(os.fork())
    if children[-1] == 0:
        promote(place, run)
        os._exit(0)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


@pytest.mark.slow
def test_of_many_processes_that_promote_at_once_the_best_is_champion(planting: Any, tmp_path: Path) -> None:
    planting.champion(planting.run(POOR))
    runs = [planting.run(right).info.run_id for right in (BEST, GOOD, POOR)]
    program = PROCESSES.format(
        here=str(Path(__file__).parent),
        folder=str(tmp_path),
        runs=runs,
        root=str(planting.project.root),
        uri=planting.project.tracking_uri,
        name=planting.name,
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=120).returncode == 0
    assert _champion_run(planting) == runs[0]
    verdicts = [
        version.tags.get("verdict", "")
        for version in planting.workspace.client.search_model_versions(f"name = '{planting.name}'")
    ]
    assert sum(verdict.startswith("champion") for verdict in verdicts) in (
        1,
        2,
    )  # the good one too, where it was the first
