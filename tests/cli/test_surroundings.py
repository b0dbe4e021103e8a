"""Commands where nothing is as usual: warnings are errors, ASCII, a home that cannot be written, no terminal."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.project_copies import copy_project

NAME = "ser-manifest-alex_net"
SCRIPT = """
import asyncio, json, sys
from ser_tune.cli import main

async def run(commands):  # as in a notebook, whose event loop is running
    for command in commands:
        sys.argv = ["ser-tune", *command]
        try:
            main()
        except SystemExit as ended:
            assert not ended.code, (command, ended.code)

asyncio.run(run(json.loads(sys.argv[1])))
"""


@pytest.mark.slow
def test_commands_work_and_make_no_noise(finished: Any, tmp_path: Path) -> None:
    root = copy_project(finished.root, tmp_path / "Ordner mit Ümlaut")
    recording = str(next(finished.csv.parent.glob("*.wav")))
    commands = [["corpus", "list"], ["models"], ["predict", NAME, recording], ["status"], ["leaderboard"], ["--help"]]
    environment = {"LANG": "C", "PYTHONUTF8": "0", "HOME": "/proc/1/nowhere", "COLUMNS": "40", "SER_TUNE_ROOT": "."}
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "SER_TUNE_CACHE") if name in os.environ}
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, json.dumps(commands)],
        env=kept | environment,
        cwd=root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert told.stderr == ""
    for text in ("emodb", NAME, recording, "first", "manifest", "Usage: ser-tune"):
        assert text in told.stdout
