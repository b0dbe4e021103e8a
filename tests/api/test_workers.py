"""What worker processes are told, and what they tell the first one."""

import os
import signal
from collections.abc import Callable
from multiprocessing import Pipe
from typing import Any

import pytest
import torch

from ser_tune.api import workers
from ser_tune.api.workers import _once_tracked, _pass_on, _Relay, devices_of, run_workers
from ser_tune.config import SearchSettings
from ser_tune.errors import ConfigError, StudyError, TrackingError
from ser_tune.project import Project
from ser_tune.search import StudyObserver


def test_a_worker_that_gave_up_tells_why_and_one_that_ended_nothing() -> None:
    told, telling = Pipe(duplex=False)
    telling.send(("gave_up", ("trial 3: no", "trial 4: no"), {}))
    assert _pass_on(told, StudyObserver()) == ["trial 3: no", "trial 4: no"]
    telling.close()
    assert _pass_on(told, StudyObserver()) == []


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_where_all_workers_are_killed_again_and_again_the_command_fails(
    tiny: Callable[..., Any], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "CRASHES", 1)
    monkeypatch.setattr(workers, "_work", _die)
    definition = tiny(**{"study.trials": 4, "study.workers": 2})
    with pytest.raises(
        StudyError, match=r"^all workers were killed, 4 processes altogether; the same command goes on$"
    ):
        run_workers(definition, project, StudyObserver(), None)


def test_a_worker_that_starts_waits_for_a_tracking_store_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "PAUSE_S", 0.0)
    _, telling = Pipe(duplex=False)
    relay, calls, ended = _Relay(telling), list[int](), object()

    def run() -> Any:
        calls.append(1)
        if len(calls) < 3:
            raise TrackingError("no answer")
        relay.study_started(None)  # type: ignore[arg-type]
        if len(calls) == 4:
            raise TrackingError("no answer")
        return ended

    assert _once_tracked(run, relay) is ended
    with pytest.raises(TrackingError):  # what fails later is no start
        _once_tracked(run, relay)
    assert len(calls) == 4


@pytest.mark.parametrize(
    ("gpus", "visible", "settings", "expected"),
    [
        (0, "", {"workers": 3}, [None, None, None]),
        (2, "", {"workers": 2}, ["0", "1"]),
        (2, "", {"workers": 4, "per_gpu": 2}, ["0", "1", "0", "1"]),
        (2, "", {"workers": 3, "per_gpu": 2}, ["0", "1", "0"]),
        (2, "3,5", {"workers": 2}, ["3", "5"]),
        (2, "GPU-8f,GPU-2c", {"workers": 3, "per_gpu": 2}, ["GPU-8f", "GPU-2c", "GPU-8f"]),
    ],
)
def test_workers_share_the_gpus_that_are_visible(
    gpus: int,
    visible: str,
    settings: dict[str, int],
    expected: list[str | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices_of(SearchSettings.model_validate(settings)) == expected


def test_more_workers_than_gpus_have_room_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match="workers is 5, but this machine has 2 GPUs; expected at most 4 with"):
        devices_of(SearchSettings(workers=5, per_gpu=2))
