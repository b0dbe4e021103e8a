"""The benchmarks run; how fast the product is, they say on an idle machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = ("extraction", "overhead")
"""Those that take seconds; all of them take minutes."""


@pytest.mark.slow
def test_benchmarks_run_and_write_their_numbers(tmp_path: Path) -> None:
    out = str(tmp_path / "out.json")
    command = [sys.executable, "-m", "tests.ser_tune_benchmarks", *NAMES, "--quick", "--json", out]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert tuple(written["rows"]) == NAMES
    for name, rows in written["rows"].items():
        assert name in told
        assert rows
        for row in rows:
            assert row["product"] > 0, row


@pytest.mark.slow
def test_an_unknown_benchmark_is_refused() -> None:
    command = [sys.executable, "-m", "tests.ser_tune_benchmarks", "nothing"]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert told.returncode == 2
    assert "no benchmark 'nothing'; there are: training," in " ".join(told.stderr.split())
