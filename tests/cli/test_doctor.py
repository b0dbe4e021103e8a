"""`doctor` names what is wrong and what to do, and ends with 1 only where something is wrong."""

import json
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def findings(call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, dict[str, Any]]]:
    monkeypatch.setattr("ser_tune.api.diagnosis.TRAINING_S", 0.0)
    monkeypatch.setattr("ser_tune.api.diagnosis.ANSWER_S", 0.2)

    def _findings(root: Path, **environment: str) -> tuple[int, dict[str, Any]]:
        told = call(root, "doctor", "--json", environment={"HF_HUB_OFFLINE": "1", **environment})
        assert told.err == ""
        return told.code, {one["subject"]: one for one in json.loads(told.out)}

    return _findings


@pytest.mark.slow
def test_nothing_is_wrong_in_a_fresh_project(findings: Callable[..., Any], root: Path) -> None:
    before = sorted(root.rglob("*[!ml]"))
    code, found = findings(root)
    assert code == 0
    assert {"packages", "disk", "tracking store", "studies", "cache", "outbox", "device", "training"} <= set(found)
    assert "wrong" not in {one["state"] for one in found.values()}
    assert "precision" in found["device"]["found"]
    assert sorted(root.rglob("*[!ml]")) == before  # but for -shm and -wal, which SQLite removes


@pytest.mark.slow
def test_a_store_that_cannot_be_written_is_wrong_and_says_how_to_mend_it(
    findings: Callable[..., Any], root: Path
) -> None:
    (root / "studies" / "optuna.db").write_bytes(b"this is no database, however long it may be " * 100)
    code, found = findings(root, SER_TUNE_CACHE=str(root / "mlruns" / "mlflow.db" / "cache"))
    assert code == 1
    assert found["studies"]["state"] == "wrong"
    assert "--storage" in found["studies"]["advice"]
    assert found["cache"]["state"] == "wrong"
    assert "SER_TUNE_CACHE" in found["cache"]["advice"]


def test_a_tracking_server_that_does_not_answer_is_wrong(findings: Callable[..., Any], root: Path) -> None:
    code, found = findings(root, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert (code, found["tracking store"]["state"]) == (1, "wrong")


def test_a_broken_plug_in_is_wrong(findings: Callable[..., Any], root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = EntryPoint("broken_net", "no_such_package:ARCHITECTURE", "ser_tune.architectures")
    monkeypatch.setattr(
        "ser_tune.components._plugins",
        lambda group: {"broken_net": (broken,)} if group == "ser_tune.architectures" else {},
    )
    code, found = findings(root)
    assert (code, found["plug-in"]["state"]) == (1, "wrong")
    assert "broken_net" in found["plug-in"]["found"]


def test_an_extra_that_is_missing_is_a_note_with_the_command_that_installs_it(
    findings: Callable[..., Any], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune.api import doctor

    lacking = doctor.__globals__["_lacking"]
    monkeypatch.setitem(
        doctor.__globals__,
        "_lacking",
        lambda required: (
            ["opensmile is missing"] if "opensmile" in {one.name for one in required} else lacking(required)
        ),
    )
    code, found = findings(root)
    assert (code, found["extra opensmile"]["state"]) == (0, "note")
    assert found["extra opensmile"]["advice"] == "pip install 'ser-tune[opensmile]'"
