"""Importing any module of ser_tune changes nothing of the process: no variable, log level, filter or verbosity."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.warm_processes import run_warm

IMPORTING = """
import contextlib, importlib, json, logging, os, pkgutil, signal, sys, warnings
from pathlib import Path

VENDORS = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))


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
    print(json.dumps([name for name in sys.modules if name.partition(".")[0] not in ("ser_tune", "tests", "__main__")]))
else:
    for name in VENDORS:
        with contextlib.suppress(ImportError):  # parts of extensions are no modules of their own
            importlib.import_module(name)
    before = state()
    ours()
    after = state()
    print(json.dumps([before, {**after, "levels": {name: after["levels"].get(name) for name in before["levels"]}}]))
"""


@pytest.mark.slow
def test_importing_every_module_changes_nothing_of_the_process(tmp_path: Path) -> None:
    given = tmp_path / "vendors.json"
    given.write_text("[]", encoding="utf-8")
    vendors = run_warm(IMPORTING, given, environment={}).stdout
    given.write_text(vendors, encoding="utf-8")
    command = [sys.executable, "-W", "ignore", "-c", IMPORTING, str(given)]
    before, after = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert {"torch", "mlflow", "optuna"} <= set(json.loads(vendors))
    assert after == before
