"""Peak memory of a study on features of IEMOCAP's size: 5531 utterances of 4.5 s."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

from ser_tune.protocol import prepare
from ser_tune.search import StudyObserver, run_study

from .rows import Options, Row, definition, project

__all__ = ["measure"]

SPEAKERS, UTTERANCES, LENGTH_S, RATE_HZ = 10, 5531, 4.5, 16_000
EMOTIONS = ("anger", "happiness", "neutral", "sadness")


def measure(options: Options) -> list[Row]:
    """A cold study, which extracts, and a second one, each in a process of its own."""
    table = _corpus(options.scratch, 120 if options.quick else UTTERANCES)
    rows = []
    for name in ("first", "second"):
        command = [sys.executable, "-m", "tests.ser_tune_benchmarks.memory", str(table), name]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        features, peak, imported = (float(number) for number in told.split()[-3:])
        rows.append(
            Row(
                f"peak memory of a {name} study, beside its features (imports: {imported:.2f} GB)",
                peak,
                "GB",
                plain=features,
                ratio=peak / features,
                below=2.0,
            )
        )
    return rows


def _corpus(folder: Path, utterances: int) -> Path:
    """Noise: one recording a speaker, and the table of its stretches."""
    rng = np.random.default_rng(0)
    rows = []
    each = utterances // SPEAKERS + 1
    for speaker in range(SPEAKERS):
        name = f"{speaker}.flac"
        sound = rng.integers(-3000, 3000, size=round(each * LENGTH_S * RATE_HZ), dtype=np.int16)
        soundfile.write(folder / name, sound, RATE_HZ)
        for number in range(each):
            start = number * LENGTH_S
            rows.append((name, f"s{speaker}", EMOTIONS[number % 4], f"{start}", f"{start + LENGTH_S}"))
    table = folder / "corpus.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "speaker", "emotion", "start", "end"), *rows[:utterances]])
    return table


def _study(table: Path, name: str) -> None:
    """Print the size of the features and the peak of this process, before and after, in GB."""
    imported = _peak()
    here = project(table.parent)
    settings = {
        "name": name,
        "corpus.name": "manifest",
        "corpus.data": table,
        "model.name": "3d_acrnn",
        "model.width": 0.1,
        "training.epochs": 1,
        "protocol.fold_limit": 1,
        "study.trials": 1,
    }
    run_study(prepare(definition(settings).without_search(), here), here, StudyObserver())
    features = sum(path.stat().st_size for path in here.cache.rglob("frames.bin")) / 1e9
    print(features, _peak(), imported)


def _peak() -> float:
    # Not getrusage, whose peak a process inherits from the one that started it
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e9


if __name__ == "__main__":
    _study(Path(sys.argv[1]), sys.argv[2])
