"""Importing any module of ser_tune changes nothing of the process: no variable, log level, filter or verbosity."""

import json
import subprocess
import sys

import pytest

IMPORTING = """
import contextlib, importlib, json, logging, os, pkgutil, signal, sys, warnings

VENDORS = json.loads(sys.argv[1])


def state():
    known = logging.root.manager.loggerDict.items()
    loggers = {name: logger for name, logger in known if isinstance(logger, logging.Logger)}
    found = {
        "environment": dict(os.environ),
        "root": [logging.root.level, len(logging.root.handlers), logging.root.manager.disable],
        "levels": {
            name: [logger.level, len(logger.handlers), logger.propagate, len(logger.filters)]
            for name, logger in loggers.items()
            if not name.startswith("ser_tune")
        },
        "filters": [str(entry) for entry in warnings.filters],
        "hooks": [repr(sys.excepthook), repr(warnings.showwarning), repr(signal.getsignal(signal.SIGTERM))],
    }
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        found["threads"] = [torch.get_num_threads(), torch.get_num_interop_threads()]
        found["precision"] = torch.get_float32_matmul_precision()
    if "optuna" in sys.modules:
        found["verbosity"] = sys.modules["optuna"].logging.get_verbosity()
    return found


def ours():
    import ser_tune

    for module in pkgutil.walk_packages(ser_tune.__path__, "ser_tune."):
        if ".scripts" not in module.name and not module.name.endswith("mlflow_model"):  # these are programs
            importlib.import_module(module.name)


if not VENDORS:
    ours()
    print(json.dumps([name for name in sys.modules if name.partition(".")[0] not in ("ser_tune", "__main__")]))
else:
    for name in VENDORS:
        with contextlib.suppress(ImportError):  # parts of extensions are no modules of their own
            importlib.import_module(name)
    before = state()
    ours()
    after = state()
    print(json.dumps([before, {**after, "levels": {name: after["levels"].get(name) for name in before["levels"]}}]))
"""


def _run(vendors: list[str]) -> list:
    command = [sys.executable, "-W", "ignore", "-c", IMPORTING, json.dumps(vendors)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.slow
def test_importing_every_module_changes_nothing_of_the_process() -> None:
    vendors = _run([])
    before, after = _run(vendors)
    assert {"torch", "mlflow", "optuna"} <= set(vendors)
    assert after == before
