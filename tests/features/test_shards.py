"""Extraction that is ended is continued, damage is mended, and memory does not grow with the corpus."""

import os
import signal
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from ser_tune.corpora import CORPORA, Corpus
from ser_tune.errors import StorageError
from ser_tune.features import FeatureSet, FeatureStore, corpus_features, entry, extraction, store
from tests.features.cached import LOGSPEC, SETTINGS, Counting, assert_equal_stores, entry_folders
from tests.warm_processes import WarmProcess

MakeCorpus = Callable[..., Corpus]
LENGTHS_S = np.linspace(0.1, 0.5, 9)[[4, 2, 8, 0, 1, 6, 3, 5, 7]]


class _End(BaseException):
    """Ends an extraction at any place."""


def _of_kind(counting: Counting, kind: str) -> FeatureSet:
    return counting.single_frames() if kind == "single frames" else counting.feature_set()


@pytest.fixture(params=["single frames", "many frames", "small windows"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A way to write features."""
    if request.param == "small windows":
        monkeypatch.setattr(store, "WINDOW", 80 * 100)  # a second of speech
    return str(request.param)


@pytest.mark.parametrize("after", range(1, 9))
def test_an_extraction_that_was_ended_is_continued(
    after: int, kind: str, make_corpus: MakeCorpus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def end(done: int, total: int) -> None:
        if done == after:
            raise _End

    corpus, cache, counting = make_corpus(*LENGTHS_S), tmp_path / "cache", Counting()
    feature_set = _of_kind(counting, kind)
    expected = corpus_features(corpus, feature_set, SETTINGS, tmp_path / "whole")
    with pytest.raises(_End):
        corpus_features(corpus, feature_set, SETTINGS, cache, progress=end)
    told: list[int] = []
    kept = sum(entry.intact(folder, entry.Layout.read(folder)).sum() for folder in entry_folders(cache))
    assert kept == after or kind != "single frames"
    counting.count = 0
    found = corpus_features(corpus, feature_set, SETTINGS, cache, progress=lambda done, total: told.append(done))
    assert_equal_stores(found, expected)
    assert ("an extraction of these features ended early, and is continued" in caplog.text) == (kept > 0)
    assert counting.count == 9 - kept
    assert told == list(range(max(1, kept), 10))
    assert [path.suffix for path in entry_folders(cache)] == [""]


@pytest.mark.parametrize("damaged", [[0], [8], [3, 4], [0, 2, 5, 8], list(range(9))])
def test_damaged_utterances_are_extracted_and_no_others(
    damaged: list[int], kind: str, make_corpus: MakeCorpus, tmp_path: Path
) -> None:
    corpus, cache, counting = make_corpus(*LENGTHS_S), tmp_path / "cache", Counting()
    feature_set = _of_kind(counting, kind)
    expected = corpus_features(corpus, feature_set, SETTINGS, tmp_path / "whole")
    made = corpus_features(corpus, feature_set, SETTINGS, cache)
    (folder,) = entry_folders(cache)
    content = bytearray((folder / "frames.bin").read_bytes())
    for number in damaged:
        content[int(made.offsets[number]) * 80 + 7] ^= 4
    (folder / "frames.bin").write_bytes(content)
    counting.count = 0
    assert_equal_stores(corpus_features(corpus, feature_set, SETTINGS, cache), expected)
    assert counting.count == len(damaged)


def test_features_of_other_shapes_are_refused(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    corpus = make_corpus(0.3, 0.1, 0.2)
    wider = replace(LOGSPEC, extract=lambda speech, settings: np.zeros((1, len(speech) // 100, 5), np.float32))
    with pytest.raises(StorageError, match=r"shape \(C, F\) \(1, .*expected \(1, 16\) and float32, as the first has"):
        corpus_features(corpus, wider, SETTINGS, tmp_path / "cache")
    longer = replace(
        LOGSPEC,
        extract=lambda speech, settings: np.zeros((1, 5, len(speech) // 1600), np.float32),
        hop_s=lambda settings: None,
    )
    with pytest.raises(StorageError, match=r"has features of 3 frames; expected 1, since hop_s is None"):
        corpus_features(corpus, longer, SETTINGS, tmp_path / "cache")


def test_memory_does_not_grow_with_the_corpus(
    make_corpus: MakeCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "WINDOW", 80 * 200)  # two seconds of speech
    references: list[weakref.ref[np.ndarray]] = []
    original = extraction.Extracted.of

    def of(features: np.ndarray, speech: np.ndarray) -> extraction.Extracted:
        extracted = original(features, speech)
        references.append(weakref.ref(extracted.frames))
        return extracted

    monkeypatch.setattr(extraction.Extracted, "of", of)

    def most_alive(count: int) -> int:
        corpus = make_corpus(*np.random.default_rng(0).uniform(0.05, 0.3, count), name=str(count))
        alive: list[int] = []

        def look(done: int, total: int) -> None:
            alive.append(sum(reference() is not None for reference in references))

        corpus_features(corpus, LOGSPEC, SETTINGS, tmp_path / f"cache-{count}", progress=look)
        return max(alive)

    assert most_alive(200) < 1.5 * most_alive(50) < 75


def test_what_was_abandoned_is_removed_unless_a_process_continues_it(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    folders = [cache / f"{name}.partial" for name in ("recent", "abandoned", "locked")]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "index.bin").touch()
        if folder != folders[0]:
            month_ago = time.time() - store.ABANDONED_S - 60
            os.utime(folder / "index.bin", (month_ago, month_ago))
    for folder in folders:
        os.utime(folder, ns=((folder / "index.bin").stat().st_mtime_ns,) * 2)
    empty = [cache / "young-and-empty.partial", cache / "empty.partial"]  # of processes that were killed at once
    for folder in empty:
        folder.mkdir()
    os.utime(empty[1], (month_ago, month_ago))
    with FileLock(cache / "locked.lock"):
        corpus_features(make_corpus(0.1, 0.1), LOGSPEC, SETTINGS, cache)
    assert [folder.exists() for folder in [*folders, *empty]] == [True, False, True, True, False]


def test_two_threads_at_once_extract_once(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    corpus, counting = make_corpus(0.1, 0.1, 0.1), Counting()
    together = threading.Barrier(2)

    def extract() -> FeatureStore:
        together.wait()
        return corpus_features(corpus, counting.feature_set(), SETTINGS, tmp_path / "cache")

    with ThreadPoolExecutor(2) as pool:
        first, second = (future.result() for future in [pool.submit(extract), pool.submit(extract)])
    np.testing.assert_array_equal(first.frames, second.frames)
    assert counting.count == 3


PROGRAM = """
import sys, time
from dataclasses import replace
from pathlib import Path
from ser_tune.corpora import CORPORA, Corpus
from ser_tune.features import FEATURE_SETS, corpus_features
table, cache = map(Path, sys.argv[1:])
logspec = FEATURE_SETS.get("logspec")
settings = logspec.settings.model_validate({"n_bins": 20})
corpus = Corpus.load(CORPORA.get("manifest"), table, cache)
def extract(speech, settings):
    time.sleep(0.05)
    return logspec.extract(speech, settings).mean(axis=2, keepdims=True)
def told(done, total):
    print(done, flush=True)
slow = replace(logspec, extract=extract, hop_s=lambda settings: None)
corpus_features(corpus, slow, settings, cache, progress=told)
"""


@pytest.mark.slow
def test_a_process_takes_over_from_another_that_was_killed(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    corpus, cache, table = make_corpus(*np.linspace(0.1, 0.5, 60)), tmp_path / "cache", tmp_path / "corpus.csv"
    rows = [f"{utterance.path},{utterance.speaker},{utterance.emotion}" for utterance in corpus.utterances]
    table.write_text("\n".join(["path,speaker,emotion", *rows]), encoding="utf-8")
    first = WarmProcess(PROGRAM, table, cache, environment={})
    for line in first.stdout:
        if int(line) == 20:
            break
    second = WarmProcess(PROGRAM, table, cache, environment={})  # waits, or finds the other gone
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    told = second.communicate(timeout=60)[0].split()
    assert first.returncode == -signal.SIGKILL
    assert second.returncode == 0
    assert 20 <= int(told[0]) < 60
    assert list(map(int, told)) == list(range(int(told[0]), 61))
    loaded, counting = Corpus.load(CORPORA.get("manifest"), table, cache), Counting()
    expected = corpus_features(loaded, counting.single_frames(), SETTINGS, tmp_path / "whole")
    assert_equal_stores(corpus_features(loaded, counting.single_frames(), SETTINGS, cache), expected)
    assert counting.count == 60
    assert len(entry_folders(cache)) == 1
