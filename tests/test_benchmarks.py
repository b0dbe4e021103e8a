"""The benchmarks run, and compare the same turns of several ways; speeds are measured on an idle machine."""

import json
import os
import subprocess
import sys
from functools import partial
from itertools import cycle
from pathlib import Path

import pytest
import torch

from tests.ser_tune_benchmarks import gpu, training
from tests.ser_tune_benchmarks.hardware import Need, Speeds
from tests.ser_tune_benchmarks.networks import CASES
from tests.ser_tune_benchmarks.rows import Options, Row, slope
from tests.ser_tune_benchmarks.scale import COMMANDS, Spent, rows_of, run_commands
from tests.ser_tune_benchmarks.scale_corpus import write_corpus
from tests.ser_tune_benchmarks.ways import Cost, Work, compared, in_turn


def takes(*seconds: float) -> Work:
    """Work that reports these seconds by the clock, one a turn, and twice as many of processors."""
    turns = cycle(Cost(each, 2 * each) for each in seconds)
    return lambda: next(turns)


def writes_its_process(folder: Path) -> Work:
    return lambda: (folder / str(os.getpid())).touch()


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(data=None, quick=True, scratch=tmp_path)


def test_a_row_has_the_medians_and_the_rival_that_works_best(options: Options) -> None:
    ways = {"product": partial(takes, 2.0), "plain": partial(takes, 8.0), "skilled": partial(takes, 3.0)}
    row = compared("work", ways, options, amount=12, unit="segments/s", at_least=1.2)
    assert (row.product, row.plain, row.skilled, row.limit) == (6.0, 1.5, 4.0, None)
    assert row.ratio == row.processor_ratio == 1.5
    assert row.processor_s == {"product": 4.0, "plain": 16.0, "skilled": 6.0}
    assert row.met


def test_the_limit_is_measured_in_the_same_turns(options: Options) -> None:
    row = compared("work", {"product": partial(takes, 1e6)}, options, need=Need(flops=1e9, bytes=1e6))
    assert row.limit is not None
    assert 0 < row.limit < 100
    assert row.share == pytest.approx(row.limit / 1e6)
    assert row.ratio is None


def test_a_need_takes_the_longer_of_products_and_memory() -> None:
    speeds = Speeds(flop_s=1e-9, flop_processor_s=2e-9, byte_s=1e-10, byte_processor_s=1e-10)
    assert speeds.of(Need(flops=1e9, bytes=1e9)) == (1.0, 2.0)
    assert speeds.of(Need(flops=1e6, bytes=1e9)) == (0.1, 0.1)


def test_a_busy_machine_is_judged_by_processor_seconds() -> None:
    row = Row("work", 1.0, "s", skilled=2.0, ratio=0.9, processor_ratio=1.3, at_least=1.2)
    assert row.met is False
    assert Row("work", 1.0, "s", ratio=0.9, processor_ratio=1.3, at_least=1.2, others=1.0).met is True


def test_the_slope_is_the_power() -> None:
    assert slope([1, 2, 4, 8], [3, 12, 48, 192]) == pytest.approx(2.0)


@pytest.mark.slow
def test_every_way_has_a_process_of_its_own(tmp_path: Path) -> None:
    options = Options(data=None, quick=False, scratch=tmp_path)
    folders = {name: tmp_path / name for name in ("product", "plain")}
    for folder in folders.values():
        folder.mkdir()
    costs = in_turn({name: partial(writes_its_process, folder) for name, folder in folders.items()}, options)
    assert [len(taken) for taken in costs.values()] == [options.turns] * 2
    (product,), (plain,) = ([int(file.name) for file in folder.iterdir()] for folder in folders.values())
    assert len({product, plain, os.getpid()}) == 3


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_slopes_are_of_the_growth_beyond_what_an_empty_corpus_takes(power: float) -> None:
    costs = {"check": [Spent(n, 8.0 + 1e-3 * n**power) for n in (1_000, 4_000, 16_000)]}
    each, steep = rows_of(costs)
    assert (each.unit, steep.met) == ("ms", power == 1.0)
    assert steep.product == pytest.approx(power, abs=0.01)
    if power == 1.0:
        assert each.product == pytest.approx(1.0)


@pytest.mark.slow
def test_commands_run_on_a_corpus_of_any_size(tmp_path: Path) -> None:
    table = write_corpus(tmp_path / "corpus", 60, rate_hz=8_000, each=6)
    spent = run_commands(table, 60, {name: COMMANDS[name] for name in ("check", "audit")})
    assert [found.utterances for found in spent.values()] == [60, 60]
    assert all(found.processor_s > 0 for found in spent.values())


@pytest.mark.slow
def test_a_benchmark_runs_and_writes_its_numbers(tmp_path: Path) -> None:
    out = str(tmp_path / "out.json")
    command = [sys.executable, "-m", "tests.ser_tune_benchmarks", "extraction", "--quick", "--json", out]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    written = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert list(written["rows"]) == list(written["load"]) == ["extraction"]
    assert written["machine"]["cores"] == os.cpu_count()
    assert isinstance(written["machine"]["instruction_sets"], list)
    assert "logspec of demo" in told
    for row in written["rows"]["extraction"]:
        assert min(row["product"], row["plain"], row["skilled"]) > 0, row


@pytest.mark.slow
def test_every_network_trains_beside_its_rivals(options: Options) -> None:
    rows = training.measure(options)
    assert {row.what.partition(",")[0] for row in rows} == {case.model for case in CASES}
    for row in rows:
        assert row.unit == "segments/s"
        assert None not in (row.plain, row.skilled, row.limit)
        assert row.share is not None
        assert 0 < row.share < 1


@pytest.mark.slow
def test_the_benchmark_for_a_gpu_runs_without_one(options: Options) -> None:
    rows = {row.what: row for row in gpu.measure(options)}
    assert {f"{case.model}, bfloat16, one fold" for case in CASES} < set(rows)
    failed = [what for what in rows if "failed" in what]
    assert all("CUDA graph" in what for what in failed)
    assert bool(failed) is not torch.cuda.is_available()
    assert rows["light_cnn, bfloat16, steps, torch.compile beside eager"].product > 0
    assert rows["light_cnn, bfloat16, 1 folds at once beside one after another"].ratio is not None
    assert rows["light_cnn, study of 1 trials with pruning"].product > 0


@pytest.mark.slow
def test_an_unknown_benchmark_is_refused() -> None:
    command = [sys.executable, "-m", "tests.ser_tune_benchmarks", "nothing"]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert told.returncode == 2
    assert "no benchmark 'nothing'; there are: training," in " ".join(told.stderr.split())
