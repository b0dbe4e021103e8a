"""The shell completes names that exist, quickly; unknown names suggest the nearest; exit codes are documented."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ser_tune.cli.completion import completion_of
from ser_tune.cli.exit_codes import EXIT_CODES
from ser_tune.components import Catalogue

SCRIPT = """
import contextlib, io, json, os, sys
from ser_tune.cli import main

words = sys.argv.pop()  # shells give them by the environment alone
os.environ |= {"_SER_TUNE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
out = io.StringIO()
with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
    main()
heavy = [name for name in ("torch", "mlflow", "optuna", "librosa", "sqlalchemy", "pandas") if name in sys.modules]
json.dump([out.getvalue().split(), heavy], sys.stdout)
"""
MODEL = "ser-manifest-alex_net"


def completed(root: Path, words: str) -> tuple[list[str], list[str]]:
    """What is offered, and the heavy packages that were imported."""
    command = [sys.executable, "-c", SCRIPT, words]
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    told = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    names, heavy = json.loads(told.stdout)
    return names, heavy


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ser-tune predict ser-", [MODEL, f"{MODEL}@champion"]),
        ("ser-tune promote fi", ["first"]),
        ("ser-tune report ", ["first", MODEL, f"{MODEL}@champion"]),
        ("ser-tune study --model li", ["light_cnn", "linear_probe"]),
        ("ser-tune study --sampler ", ["gp", "qmc", "random", "tpe"]),
        ("ser-tune promote --rule ", ["always", "better", "confident", "gated", "robust"]),
        ("ser-tune evaluate --corpus em", ["emodb", "emov_db", "emovo"]),
        ("ser-tune predict --tracking-uri sqlite:////none/such.db ser-", []),
    ],
)
def test_names_are_completed_without_a_heavy_import(finished: Any, words: str, expected: list[str]) -> None:
    assert completed(finished.root, words) == (expected, [])


def test_completion_knows_every_component_of_its_catalogue() -> None:
    from ser_tune.architectures import ARCHITECTURES
    from ser_tune.corpora import CORPORA
    from ser_tune.features import FEATURE_SETS
    from ser_tune.search import PARTS

    catalogues: dict[str, Catalogue[Any]] = {
        "architectures": ARCHITECTURES,
        "corpora": CORPORA,
        "executors": PARTS["executor"],
        "features": FEATURE_SETS,
        "promotion_rules": PARTS["promotion"],
        "pruners": PARTS["pruner"],
        "samplers": PARTS["sampler"],
    }
    for kind, catalogue in catalogues.items():
        assert tuple(completion_of(kind)(None, "")) == catalogue.names()


@pytest.mark.parametrize(
    ("command", "nearest"),
    [
        (("study", "--model", "light_cn"), "light_cnn"),
        (("study", "--model", "light_cnn", "--corpus", "emodbb"), "emodb"),
        (("study", "--model", "light_cnn", "--features", "logmellspec"), "logmelspec"),
        (("study", "--model", "light_cnn", "--set", "optimizer.learning_rat=1"), "learning_rate"),
        (("study", "--model", "light_cnn", "--sampler", "nsga2sampler"), "NSGAIISampler"),
        (("predict", "ser-manifest-alexnet", "a.wav"), MODEL),
        (("predict", f"{MODEL}@champon", "a.wav"), "champion"),
        (("report", "frist"), "first"),
        (("status", "firts"), "first"),
        (("promote", "furst"), "first"),
        (("export", MODEL, "--format", "onxx"), "onnx"),
        (("leaderboard", "--format", "jsn"), "json"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(
    finished: Any, call: Callable[..., Any], command: tuple[str, ...], nearest: str
) -> None:
    told = call(finished.root, *command)
    assert told.code == 2
    assert f"did you mean '{nearest}'?" in " ".join(told.err.replace("│", " ").split())


def test_a_name_that_is_near_to_none_suggests_none(finished: Any, call: Callable[..., Any]) -> None:
    assert "did you mean" not in call(finished.root, "study", "--model", "zzz").err


def test_exit_codes_are_in_help_and_documentation(root: Path, call: Callable[..., Any]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "exporting.md").read_text(encoding="utf-8")
    help_text = " ".join(call(root, "--help", environment={"COLUMNS": "200"}).out.split())
    for code, meaning in EXIT_CODES.items():
        assert f"| {code} | {meaning} |" in page
        assert f"{code} {meaning}" in help_text
