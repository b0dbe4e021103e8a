"""Time and memory of a study of `linear_probe` on a stand-in of MSP-Podcast with WavLM large, and their growth.

Utterances are a tenth of a second of noise; a plug-in's feature set makes 25 × 2048 values in float16 from each, random
but for a planted signal. Runs `ser-tune study` in a process of its own.
"""

import csv
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile

from ser_tune.config import FeatureSettings
from ser_tune.features import FeatureSet

from .rows import Options, Row, slope

__all__ = ["FEATURE_SET", "PlantedSettings", "measure", "study"]

WHOLE = 265_000
"""Utterances of MSP-Podcast."""
SHARES, QUICK = (80, 20), (2650, 1325)
"""One of so many utterances is in the smaller stand-in, and in the larger."""
EMOTIONS = ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
EACH = 50
"""Utterances of a speaker, where there are enough for eight."""
LAYERS, BANDS, FACTORS = 25, 2048, 64
"""Shape of the features, and the number of hidden factors that correlate them, as an encoder's are."""
RATE_HZ = 16_000


class PlantedSettings(FeatureSettings):
    """Random features with a planted signal."""

    name: str = "planted"
    """The feature set."""


def _mixing() -> tuple[np.ndarray, np.ndarray]:
    """The signal of each class, and the loadings of factors, of which few explain most."""
    rng = np.random.default_rng(28)
    signal = rng.standard_normal((len(EMOTIONS), LAYERS * BANDS), dtype=np.float32)
    loadings = rng.standard_normal((FACTORS, LAYERS * BANDS), dtype=np.float32)
    return 0.01 * signal, loadings * (1 / np.arange(1, FACTORS + 1, dtype=np.float32))[:, None]


_mixed: list[tuple[np.ndarray, np.ndarray]] = []


def planted(speech: np.ndarray, settings: PlantedSettings) -> np.ndarray:
    """Features (LAYERS, BANDS, 1), float16, of speech whose first samples are its number in the corpus."""
    if not _mixed:
        _mixed.append(_mixing())
    signal, loadings = _mixed[0]
    high, low = np.round(speech[:2] * 2**15).astype(int)
    number = int(high) * 1000 + int(low)
    rng = np.random.default_rng(number)
    values = rng.standard_normal(LAYERS * BANDS, dtype=np.float32) + signal[number % len(EMOTIONS)]
    values += rng.standard_normal(FACTORS, dtype=np.float32) @ loadings
    return values.astype(np.float16).reshape(LAYERS, BANDS, 1)


FEATURE_SET = FeatureSet(
    name="planted",
    settings=PlantedSettings,
    shape=lambda settings: (LAYERS, BANDS),
    extract=planted,
    defaults={"segments.frames": None},
    citation="none: made for benchmarks",
)


def measure(options: Options) -> list[Row]:
    """Studies of five trials on two sizes of the stand-in, of a layer and of all."""
    rows, sizes = [], [WHOLE // share for share in (QUICK if options.quick else SHARES)]
    for layers in ("50%", "all"):
        seconds, processor, memory = zip(
            *(
                study(options.scratch / f"{size}", size, {"model.layers": layers}, trials=2 if options.quick else 5)
                for size in sizes
            ),
            strict=True,
        )
        what = f"study of 5 trials, layers {layers}, {sizes[-1]} utterances"
        rows += [
            Row(what, seconds[-1], "s", below=600),
            Row(f"{what}: processor", processor[-1], "s"),
            Row(f"{what}: memory beside mapped files", memory[-1], "GB", below=3 * 2**30 / 1e9),
            Row(f"{what}: slope of processor seconds", slope(sizes, processor), "", below=1.1),
            Row(f"{what}: slope of memory", slope(sizes, memory), "", below=1.1),
        ]
    return rows


def study(folder: Path, utterances: int, settings: Mapping[str, object], *, trials: int) -> tuple[float, float, float]:
    """Run a study on a stand-in, which is made unless it is there, without earlier results.

    Returns:
        Seconds, processor seconds, and the most memory of all its processes beside mapped files, in GB.
    """
    if not folder.exists():
        _corpus(folder, utterances)
    for old in ("studies", "mlruns"):
        shutil.rmtree(folder / old, ignore_errors=True)
    site = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(folder / "site"), str(site)))}
    given = [f"--set={path}={value}" for path, value in settings.items()]
    command = [
        *(Path(sys.executable).with_name("ser-tune"), "study", "--model", "linear_probe", "--features", "planted"),
        *("--corpus", "manifest", "--data", "corpus.csv", "--trials", str(trials), *given),
    ]
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with (folder / "told.txt").open("w", encoding="utf-8") as told:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=told, stderr=told)
        peak = _Peak(process.pid)
        process.wait()
        took, most = time.perf_counter() - started, peak.stop()
    if process.returncode:
        raise RuntimeError((folder / "told.txt").read_text(encoding="utf-8"))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, most


class _Peak:
    """The most memory of a process and its children beside mapped files, read twenty times a second."""

    def __init__(self, pid: int) -> None:
        self._pid, self._most, self._ended = pid, 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            self._most = max(self._most, sum(_anonymous(pid) for pid in _family(self._pid)))

    def stop(self) -> float:
        """Return the peak in GB."""
        self._ended.set()
        self._thread.join()
        return self._most / 1e9


def _family(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, children.read_text(encoding="utf-8").split())
            except OSError:  # it has ended
                continue
    return found


def _anonymous(pid: int) -> int:
    """Bytes of a process that are no file's."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:  # it has ended
        return 0
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024 if "RssAnon:" in status else 0


def _corpus(folder: Path, utterances: int) -> None:
    """Recordings, their table, and the plug-in as pip would install it."""
    (folder / "wav").mkdir(parents=True)
    rng, rows = np.random.default_rng(0), []
    for number in range(utterances):
        sound = rng.integers(-9000, 9000, size=RATE_HZ // 10, dtype=np.int16)
        sound[:2] = divmod(number, 1000)
        soundfile.write(folder / "wav" / f"{number}.wav", sound, RATE_HZ)
        speaker = f"s{number // min(EACH, utterances // 8):05d}"
        rows.append((f"wav/{number}.wav", speaker, EMOTIONS[number % len(EMOTIONS)]))
    with (folder / "corpus.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "speaker", "emotion"), *rows])
    installed = folder / "site" / "planted-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n", encoding="utf-8")
    entry = "[ser_tune.features]\nplanted = tests.ser_tune_benchmarks.podcast:FEATURE_SET\n"
    (installed / "entry_points.txt").write_text(entry, encoding="utf-8")


if __name__ == "__main__":
    where, count, layers, trials = sys.argv[1:5]
    given = dict(each.split("=", 1) for each in sys.argv[5:])
    print(study(Path(where), int(count), {"model.layers": layers, **given}, trials=int(trials)))
