"""Help is quick: no heavy library is imported for it."""

import json
import os
import subprocess
import sys

import pytest
import typer

from ser_tune.cli.app import app
from ser_tune.config import flagged_settings
from ser_tune.folds import SIDES
from ser_tune.promotion_rules import PROMOTION_RULES

COMMANDS = (
    *("study", "train", "reproduce", "confirm", "replay", "compare", "leaderboard", "promote", "models", "predict"),
    *("extract", "corpus", "options", "ui", "dashboard", "find-lr", "sync", "status", "audit", "evaluate", "matrix"),
    *("report", "export", "doctor", "serve", "listen", "submission"),
)
WIDTH = 160
SCRIPT = """
import contextlib, io, json, os, sys

import pytest
from ser_tune.cli import main

told = {}
for command in [[], *([one] for one in sys.argv[1:])]:
    sys.argv = ["ser-tune", *command, "--help"]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            main()
        except SystemExit as ended:
            told[" ".join(command)] = [ended.code, out.getvalue()]
    if not command:
        seconds = sum(os.times()[:2])
heavy = [name for name in ("torch", "mlflow", "optuna", "librosa", "sklearn", "pandas") if name in sys.modules]
json.dump({"told": told, "heavy": heavy, "seconds": seconds}, sys.stdout)
"""


@pytest.mark.slow
def test_every_command_has_help_that_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *COMMANDS],
        env=os.environ | {"COLUMNS": str(WIDTH), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert done.stderr == ""
    assert answer["heavy"] == []
    # Processor time of the first one, so that a busy machine does not count; 0.3 s where this was written
    assert answer["seconds"] < 1.0
    overview = answer["told"].pop("")
    assert set(answer["told"]) == set(COMMANDS)
    for command, (code, text) in answer["told"].items():
        assert code == 0
        assert f"Usage: ser-tune {command}" in text
        assert max(map(len, text.splitlines())) <= WIDTH
        assert "…" not in text  # nothing is cut
        assert command in overview[1]
    rules = PROMOTION_RULES.names()
    for command, names in (("study", rules), ("promote", rules), ("compare", SIDES)):
        assert all(name in answer["told"][command][1] for name in names)


def helps(command: str) -> dict[str, str]:
    """Option or argument to its help text."""
    found = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]
    return {parameter.opts[0]: parameter.help for parameter in found.get_params(found.context_class(found))}


@pytest.mark.parametrize("command", ["study", "train", "ablate", "find-lr"])
def test_help_of_a_setting_names_its_default_and_whether_it_can_be_repeated(command: str) -> None:
    texts, compared = helps(command), 0
    for setting in flagged_settings().values():
        assert setting.flag is not None
        if (text := texts.get(setting.flag.option)) is not None:
            compared += 1
            has_default = setting.default not in (None, False, ())
            assert f"default: {setting.default}." in text if has_default else "default: " not in text
            assert text.endswith("; repeatable.") == setting.several
    assert compared >= 5


def test_help_of_commands_names_no_argument_of_python_callers() -> None:
    assert all("Python" not in text for command in ("predict", "listen") for text in helps(command).values())
    assert "object a line" in helps("listen")["--json"]  # where all others print a list
    assert "as files are predicted" in helps("predict")["--format"]
