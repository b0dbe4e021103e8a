"""What commands that answer at once must not import: each of these modules takes longer than the answer."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ser_tune.cli import app as application

NEVER = ("librosa", "matplotlib", "numba", "optuna", "pooch", "scipy.signal", "sklearn", "torchvision", "transformers")
"""`predict` needs none of them."""
SCRIPT = """
import json, sys
from ser_tune.cli import main
try:
    main()
finally:
    sys.stderr.write("\\n" + json.dumps(sorted(sys.modules)))
"""


def _imported(root: Path, *arguments: str) -> set[str]:
    """The modules of a process at the end of a command."""
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments],
        env=os.environ | {"SER_TUNE_ROOT": str(root)},
        check=True,
        capture_output=True,
        text=True,
    )
    return set(json.loads(told.stderr.splitlines()[-1]))


@pytest.mark.slow
def test_the_list_of_commands_imports_no_settings(tmp_path: Path) -> None:
    imported = _imported(tmp_path, "--help")
    assert not imported.intersection({"importlib.metadata", "numpy", "pydantic", "ser_tune.config.base", "yaml"})


STORE = {"alembic", "fastapi", "mlflow", "pandas", "pyarrow", "requests", "scipy", "sqlalchemy"}
"""MLflow, and what it imports."""
STUDIES = {"alembic", "optuna", "sqlalchemy"}
"""Optuna, and what it imports."""
TABLE: dict[str, set[str]] = {
    "models": set(),
    "options": set(),
    "corpus list": set(),
    "corpus check emodb --data gone": set(),
    "corpus check manifest --data {csv}": {"scipy"},
    "corpus download nosuch": set(),
    "corpus make nowhere --pattern {{speaker}}_{{emotion}}": set(),
    "audit {csv}": set(),
    "status": STUDIES,
    "status nosuch": set(),
    "sync": STORE | STUDIES,
    "leaderboard": STORE | STUDIES,
    "compare nosuch other": set(),
    "compare nosuch:3 other": set(),
    "compare 0123456789abcdef0123456789abcdef nosuch": set(),
    "report nosuch": set(),
    "replay nosuch": set(),
    "combine nosuch other": set(),
    "evaluate nosuch --corpus demo": set(),
    "matrix --models nosuch --corpora demo": set(),
    "check-model nosuch --corpus demo": set(),
    "study --model nosuch": set(),
    "study --model light_cnn --corpus nosuch": set(),
    "study --model linear_probe --task nosuch": set(),
    "study --model light_cnn --features nosuch": set(),
    "study --model light_cnn --set loss.name=nosuch": set(),
    "study --model light_cnn --set study.objectives=[nosuch]": set(),
    "study --model light_cnn --set nosuch=1": set(),
    "study --model light_cnn --set training.epochs=none": set(),
    "study --model light_cnn --set study.sampler=nosuch": STUDIES,
    "study gone.yaml": set(),
    "train --model nosuch": set(),
    "find-lr --model nosuch": set(),
    "ablate nosuch.yaml --change training.epochs=1": set(),
    "reproduce nosuch": set(),
    "extract out.npz --features nosuch": set(),
    "worker nosuch": set(),
    "promote nosuch": set(),
    "confirm nosuch": set(),
    "predict nosuch a.wav": set(),
    "submission nosuch --corpus demo": set(),
    "listen nosuch": set(),
    "serve nosuch": set(),
    "export nosuch --format onnx": set(),
    "ui --port {taken}": set(),
}
"""Commands that answer or refuse at once, to the packages that they may import until then."""
UNBOUND = {"dashboard", "doctor"}
"""They start a server of Optuna's, and try what is installed."""
HEAVY = (
    *("alembic", "fastapi", "librosa", "matplotlib", "mlflow", "numba", "onnx", "optuna", "optuna_dashboard", "pandas"),
    *("pyarrow", "ray", "requests", "scipy", "sklearn", "sqlalchemy", "torch", "torchvision", "transformers"),
)
FORKING = """
import json, os, sys
from ser_tune.cli import app, main

commands, first = json.loads(sys.argv[1])
for number, command in enumerate(commands):
    if number == first:
        import mlflow  # once for all commands that may import it
    reader, writer = os.pipe()
    if not (child := os.fork()):
        sys.argv = ["ser-tune", *command.split()]
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        else:
            code = 0
        with os.fdopen(writer, "w") as answer:
            json.dump([code, sorted(sys.modules)], answer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        sys.stdout.write(answer.read() + "\\n")
    os.waitpid(child, 0)
"""


def test_every_command_is_in_the_table_of_imports() -> None:
    names = set()
    for commands, group in ((application.app, ""), (application.corpus, "corpus ")):
        names |= {group + str(command.name) for command in commands.registered_commands}
    listed = {name for name in names if any(f"{line} ".startswith(f"{name} ") for line in TABLE)}
    assert names == listed | UNBOUND


@pytest.mark.slow
def test_commands_import_no_more_than_they_need_until_they_answer_or_refuse(finished_copy: Any, tmp_path: Path) -> None:
    csv = tmp_path / "split.csv"
    csv.write_text("path,speaker,emotion,split\na.wav,1,joy,train\nb.wav,2,anger,test\n", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        order = sorted(TABLE, key=lambda line: "mlflow" in TABLE[line])
        lines = {line: line.format(csv=csv, taken=taken.getsockname()[1]) for line in order}
        lines["predict"] = f"predict ser-manifest-alex_net {next(finished_copy.csv.parent.glob('*.wav'))}"
        first = sum("mlflow" not in TABLE[line] for line in order)
        told = subprocess.run(
            [sys.executable, "-c", FORKING, json.dumps([list(lines.values()), first])],
            env=os.environ | {"SER_TUNE_ROOT": str(finished_copy.root), "OPENBLAS_NUM_THREADS": "1"},
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        )
    answers = dict(zip(lines, map(json.loads, told.stdout.splitlines()), strict=True))
    code, imported = answers.pop("predict")
    too_many = {line: sorted({*found}.intersection(HEAVY) - TABLE[line]) for line, (_, found) in answers.items()}
    assert {line: found for line, found in too_many.items() if found} == {}
    codes = {line: code for line, (code, _) in answers.items() if "nosuch" in line or "taken" in line}
    assert set(codes.values()) == {2}, told.stderr

    assert code == 0, told.stderr
    assert {"torch", "mlflow"} <= {*imported}
    assert not {*imported}.intersection(NEVER)
    own = {name for name in imported if name.startswith("ser_tune_") and name.endswith(".architectures")}
    assert len(own) == 1  # the model's own copy
    assert not {*imported}.intersection({"ser_tune.architectures", "ser_tune.features", "ser_tune.prediction"})
