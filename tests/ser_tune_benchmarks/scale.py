"""Commands on manifests of 0.75 s an utterance: processor time an utterance, and the slope from size to size.

A row has the processor time that each further utterance takes, decoding, features and training included: the growth of
the whole command's from the smallest corpus to the largest. `plain` is the same of the work that a command cannot do
without: decoding, and where it compares sounds, fingerprints; where it trains, a single epoch or solution has no such
number. The slope is of that growth between sizes: 1 is linear. Processor time, so that a busy machine matters less.
"""

import csv
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .rows import Options, Row
from .scale_corpus import write_corpus

__all__ = ["COMMANDS", "Spent", "measure", "rows_of", "run_commands"]

SIZES = (3_125, 12_500, 50_000)
QUICK_SIZES = (50, 100, 150)
FOLDS = 5
PROBE, NETWORK = "scale-linear_probe", "scale-light_cnn"
SMALL = ("--set", "features.n_mels=32", "--set", "model.width=0.25", "--set", "training.epochs=1")
FEATURES = ("--features", "logmelspec")
CORPUS = ("--corpus", "manifest", "--data", "{corpus}")
COMMANDS: Mapping[str, Sequence[str]] = {
    "check": ("corpus", "check", "manifest", "--data", "{corpus}"),
    "extraction, linear_probe, 1 trial": (
        *("study", "--model", "linear_probe", "--trials", "1", "--name", PROBE, *FEATURES, *CORPUS),
    ),
    "linear_probe, the next trial": (
        *("study", "--model", "linear_probe", "--trials", "2", "--name", PROBE, *FEATURES, *CORPUS),
    ),
    "light_cnn, 1 trial of 1 epoch": (
        *("study", "--model", "light_cnn", "--trials", "1", "--name", NETWORK, *FEATURES, *SMALL, *CORPUS),
    ),
    "predict": ("predict", "ser-manifest-linear_probe", "{folder}", "--csv", "--out", "predictions.csv"),
    "evaluate": ("evaluate", "ser-manifest-linear_probe", *CORPUS),
    "audit, without sound": ("audit", "{split}"),
    "audit": ("audit", "{split}", "--data", "{folder}"),
    "report": ("report", PROBE),
    "compare": ("compare", PROBE, NETWORK),
}
"""Words of each command, in an order in which each has what it needs."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Processor time of a command on a corpus."""

    utterances: int
    processor_s: float
    """Of all its processes."""


def measure(options: Options) -> list[Row]:
    """Run every command on corpora of three sizes."""
    costs: dict[str, list[Spent]] = {}
    for size in QUICK_SIZES if options.quick else SIZES:
        table = write_corpus(options.scratch / str(size) / "corpus", size)
        for name, cost in run_commands(table, size).items():
            costs.setdefault(name, []).append(cost)
    return rows_of(costs)


def rows_of(costs: Mapping[str, Sequence[Spent]]) -> list[Row]:
    """Rows of milliseconds an utterance, and of slopes, for each command; costs are of growing corpora."""
    rows = []
    for name, of_sizes in costs.items():
        first, middle, last = of_sizes[0], of_sizes[-2], of_sizes[-1]
        rows.append(Row(f"{name}: each further utterance", 1000 * _growth(first, last), "ms"))
        if len(of_sizes) > 2:
            # 1 where the time of an utterance is the same between large corpora as between small ones
            rows.append(Row(f"{name}: slope", _slope(first, middle, last), "", below=1.1))
    return rows


def _growth(small: Spent, large: Spent) -> float:
    """Seconds of each utterance that the larger corpus has more."""
    return (large.processor_s - small.processor_s) / (large.utterances - small.utterances)


def _slope(first: Spent, middle: Spent, last: Spent) -> float:
    """The exponent with which time grows, without the time that a command takes however small the corpus is."""
    early, late = max(_growth(first, middle), 1e-9), max(_growth(middle, last), 1e-9)
    of_early, of_late = (math.sqrt(a.utterances * b.utterances) for a, b in ((first, middle), (middle, last)))
    return 1 + math.log(late / early) / math.log(of_late / of_early)


def run_commands(table: Path, utterances: int, commands: Mapping[str, Sequence[str]] = COMMANDS) -> dict[str, Spent]:
    """Run commands on a corpus, one after another, in a project of its own beside the corpus's folder."""
    root = table.parent.parent / "project"
    root.mkdir(exist_ok=True)
    places = {"corpus": str(table), "folder": str(table.parent), "split": str(_split(table))}
    return {
        name: Spent(utterances, _processor_seconds([word.format(**places) for word in words], root))
        for name, words in commands.items()
    }


def _split(table: Path) -> Path:
    """A split of the corpus with predictions, of which two thirds are right."""
    file = table.with_name("split.csv")
    with table.open(encoding="utf-8", newline="") as read, file.open("w", encoding="utf-8", newline="") as written:
        writer = csv.writer(written)
        writer.writerow(["path", "speaker", "emotion", "fold", "prediction"])
        for number, row in enumerate(csv.DictReader(read)):
            fold, predicted = int(row["speaker"][1:]) % FOLDS, row["emotion"] if number % 3 else "joy"
            writer.writerow([row["path"], row["speaker"], row["emotion"], fold, predicted])
    return file


def _processor_seconds(words: Sequence[str], root: Path) -> float:
    """Processor seconds of a command that ends well, or only finds something."""
    environment = os.environ | {"SER_TUNE_ROOT": str(root), "SER_TUNE_CACHE": str(root / ".cache")}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    code = "import sys; from ser_tune.cli import main; sys.exit(main())"
    ended = subprocess.run(
        [sys.executable, "-c", code, *words], env=environment, cwd=root, capture_output=True, text=True, check=False
    )
    assert ended.returncode in (0, 1), f"{' '.join(words)}: {ended.stderr[-2000:]}"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{words[0]:<10} {spent:8.1f} s of processor, {time.perf_counter() - started:8.1f} s", flush=True)
    return spent
