"""SIGTERM and SIGHUP: a trial is in line again, at its next fold, and the process has ended within ten seconds."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import optuna
import pytest

from ser_tune.coordination import place_of
from tests.warm_processes import LOGGED, WarmProcess

REPOSITORY = Path(__file__).parents[2]
WITHIN_S = 10.0
START = """
import hashlib, sys, time
from ser_tune.cli import signals

signals.CLEAN_S = {clean_s}


def ready():
    print("ready", flush=True)


with signals.ending_on_signals():
    {body}
"""


def _ends(body: str, *numbers: int, clean_s: float = 0.5, ignored: Sequence[int] = ()) -> int:
    """Exit code of a process that does something, is sent signals, and inherits that it ignores some."""
    process = subprocess.Popen(
        [sys.executable, "-c", START.format(body=body, clean_s=clean_s)],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: [signal.signal(number, signal.SIG_IGN) for number in ignored],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.1)
    process.communicate(timeout=60)
    return process.returncode


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_a_process_with_128_and_its_number(number: int, code: int) -> None:
    assert _ends("ready(); time.sleep(60)", number) == code


@pytest.mark.slow
def test_a_process_that_computes_in_a_library_ends_as_well() -> None:
    assert _ends("ready(); hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)", signal.SIGTERM) == 143


def test_a_second_signal_does_not_interrupt_what_is_being_saved(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    body = "\n    ".join(
        ["try:", "    ready(); time.sleep(60)", "finally:", f"    time.sleep(0.3); open({str(saved)!r}, 'w')"]
    )
    assert _ends(body, signal.SIGTERM, signal.SIGTERM, clean_s=30) == 143
    assert saved.exists()


def test_a_library_that_makes_another_exit_of_it_changes_nothing() -> None:
    body = "\n    ".join(["try:", "    ready(); time.sleep(60)", "except KeyboardInterrupt:", "    sys.exit(130)"])
    assert _ends(body, signal.SIGTERM) == 143


def test_what_ignores_a_closed_terminal_goes_on() -> None:
    assert _ends("ready(); time.sleep(0.5); sys.exit(5)", signal.SIGHUP, ignored=[signal.SIGHUP]) == 5


@pytest.fixture
def start(root: Path, study_file: Path, corpus_csv: Path, shared_cache: Path) -> Callable[[int], WarmProcess]:
    """Start a study of so many trials, whose folds `root/log` tells of."""

    def _start(trials: int) -> WarmProcess:
        options = ("--corpus", "manifest", "--data", str(corpus_csv), "--pruner", "none", "--set", "study.confirm=0")
        command = ("study", str(study_file), *options, "--name", "ended", "--trials", str(trials))
        environment = {"SER_TUNE_ROOT": str(root), "SER_TUNE_CACHE": str(shared_cache)}
        return WarmProcess(LOGGED, root / "log", "-", *command, environment=environment)

    return _start


def _events(root: Path, event: str) -> list[str]:
    log = root / "log"
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [line.removeprefix(event).strip() for line in lines if line.startswith(event)]


@pytest.mark.slow
def test_a_study_that_is_terminated_goes_on_with_the_next_fold(start: Callable[[int], WarmProcess], root: Path) -> None:
    process = start(100)
    while len(_events(root, "stored")) < 4:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    sent = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - sent < WITHIN_S
    assert process.returncode == 143, err
    assert err.endswith("; the same command continues\ninterrupted\n")

    storage = optuna.storages.RDBStorage(f"sqlite:///{root}/studies/optuna.db", skip_compatibility_check=True)
    *ended, again = optuna.load_study(study_name="ended", storage=storage).get_trials(deepcopy=False)
    assert {one.state.name for one in ended} == {"COMPLETE", "FAIL"}
    assert (again.state.name, place_of(again)) == ("WAITING", place_of(ended[-1]))
    stored = _events(root, "stored")

    process = start(len(ended))  # the trial that was interrupted is the last one of them
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "was trained before the interruption" in err or len(stored) % 3 == 0
    assert sorted(_events(root, "stored")) == sorted(set(_events(root, "stored"))), "trained again after it was stored"
    assert len(_events(root, "stored")) == 3 * len(ended)
