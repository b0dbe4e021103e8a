"""The cache: extracted once, whole or not there, and never another corpus's or setting's features."""

import hashlib
import os
import re
import resource
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser_tune.audio import read_speech
from ser_tune.components import Catalogue
from ser_tune.config import FeatureSettings
from ser_tune.corpora import Corpus
from ser_tune.errors import AudioError, StorageError
from ser_tune.features import FEATURE_SETS, FeatureStore, Moments, corpus_features, entry, extraction
from ser_tune.features.shards import PartialEntry
from tests.features.cached import LOGSPEC, SETTINGS, Counting, assert_equal_stores, entry_folders

MakeCorpus = Callable[..., Corpus]


def test_features_are_those_of_the_recordings_in_order(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    corpus = make_corpus(0.3, 0.1, 0.2)
    found = corpus_features(corpus, LOGSPEC, SETTINGS, tmp_path / "cache")
    assert found.lengths.tolist() == [26, 6, 16]
    assert found.frames.shape == (48, 1, 20)
    assert found.frames.dtype == np.float32
    for number, one in enumerate(corpus.utterances):
        direct = LOGSPEC.extract(read_speech(one.path), SETTINGS)
        stored = found.frames[found.offsets[number] : found.offsets[number + 1]]
        np.testing.assert_array_equal(stored.transpose(1, 2, 0), direct)


def test_a_stretch_of_a_recording_is_cut_out_before(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    corpus = make_corpus(0.3, 0.3)
    first = replace(corpus.utterances[0], start_s=0.1, end_s=0.2)
    cut = replace(corpus, utterances=(first, corpus.utterances[1]), audio_digest="another")
    found = corpus_features(cut, LOGSPEC, SETTINGS, tmp_path / "cache")
    expected = LOGSPEC.extract(read_speech(first.path, start_s=0.1, end_s=0.2), SETTINGS)
    np.testing.assert_array_equal(found.frames[: found.offsets[1]].transpose(1, 2, 0), expected)


def test_what_scalings_need_is_stored(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    found = corpus_features(make_corpus(0.3, 0.1, 0.2), LOGSPEC, SETTINGS, tmp_path / "cache")
    read = Moments.of(found.frames, found.offsets)
    for field in fields(Moments):
        np.testing.assert_array_equal(getattr(found.moments, field.name), getattr(read, field.name))


def test_features_are_mapped_into_memory_and_changes_stay_there(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    corpus = make_corpus(0.1, 0.1)
    found = corpus_features(corpus, LOGSPEC, SETTINGS, tmp_path / "cache")
    assert isinstance(found.frames, np.memmap)
    before = found.frames[0, 0, 0].item()
    found.frames[0, 0, 0] = 123.0
    again = corpus_features(corpus, LOGSPEC, SETTINGS, tmp_path / "cache")
    assert again.frames[0, 0, 0] == before != 123.0


def test_what_is_in_the_cache_is_not_extracted_again(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    corpus, counting, cache = make_corpus(0.1, 0.1), Counting(), tmp_path / "cache"
    told: list[tuple[int, int]] = []
    progress = lambda done, total: told.append((done, total))  # noqa: E731 - a function of one line
    corpus_features(corpus, counting.feature_set(), SETTINGS, cache, progress=progress)
    assert counting.count == 2
    assert told == [(1, 2), (2, 2)]
    corpus_features(corpus, counting.feature_set(), SETTINGS, cache, progress=progress)
    assert counting.count == 2
    assert told == [(1, 2), (2, 2)]


@pytest.mark.parametrize("change", ["a setting", "the feature set", "the recordings"])
def test_whatever_changes_the_features_is_another_entry(change: str, make_corpus: MakeCorpus, tmp_path: Path) -> None:
    corpus, cache = make_corpus(0.1, 0.1), tmp_path / "cache"
    corpus_features(corpus, LOGSPEC, SETTINGS, cache)
    feature_set, settings = LOGSPEC, SETTINGS
    if change == "a setting":
        settings = SETTINGS.model_copy(update={"pre_emphasis": 0.5})
    elif change == "the feature set":
        feature_set = FEATURE_SETS.get("logmelspec")
        settings = feature_set.settings.model_validate({"n_mels": 20})
    else:
        corpus = make_corpus(0.1, 0.1, 0.1, name="other")
    corpus_features(corpus, feature_set, settings, cache)
    assert len(entry_folders(cache)) == 2


def test_labels_do_not_change_the_features(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    corpus, counting, cache = make_corpus(0.1, 0.1), Counting(), tmp_path / "cache"
    corpus_features(corpus, counting.feature_set(), SETTINGS, cache)
    relabelled = replace(
        corpus, utterances=tuple(replace(one, speaker="x") for one in corpus.utterances), digest="another"
    )
    corpus_features(relabelled, counting.feature_set(), SETTINGS, cache)
    assert counting.count == 2


def test_another_version_of_a_plug_in_is_another_entry(
    make_corpus: MakeCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, counting, cache = make_corpus(0.1, 0.1), Counting(), tmp_path / "cache"
    for package, entries in (("tiny==1.0", 1), ("tiny==1.1", 2), ("tiny==1.0", 2), ("other==1.0", 3), (None, 4)):
        monkeypatch.setattr(Catalogue, "requirement", lambda catalogue, name, package=package: package)
        corpus_features(corpus, counting.feature_set(), SETTINGS, cache)
        assert (len(entry_folders(cache)), counting.count) == (entries, 2 * entries)


def _written(path: Path, sound: np.ndarray, rate_hz: int = 16_000, **how: str) -> Path:
    soundfile.write(path, sound, rate_hz, **how)
    return path


def test_a_sound_has_one_hash_in_every_container(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    corpus = make_corpus(0.1, 0.1)
    sound, _ = soundfile.read(corpus.utterances[0].path)
    same = [
        corpus.utterances[0].path,
        _written(tmp_path / "a.flac", sound),
        _written(tmp_path / "b.wav", sound, subtype="PCM_24"),
        _written(tmp_path / "c.wav", sound, subtype="FLOAT"),
        _written(tmp_path / "d.wav", sound, format="AIFF"),
        _written(tmp_path / "e.wav", np.stack([sound, sound], axis=1)),
        _written(tmp_path / "f.wav", np.concatenate([np.ones(1600), sound, np.ones(1600)])),  # cut out, below
    ]
    other = [
        corpus.utterances[1].path,
        _written(tmp_path / "g.wav", sound[:-1]),
        _written(tmp_path / "h.wav", 0.5 * sound),
        _written(tmp_path / "i.wav", np.stack([sound, 0 * sound], axis=1)),
        _written(tmp_path / "j.wav", sound, 16_001),
    ]
    utterances = [replace(corpus.utterances[0], id=path.name, path=path) for path in [*same, *other]]
    utterances[6] = replace(utterances[6], start_s=0.1, end_s=0.2)
    mixed = replace(corpus, utterances=tuple(utterances), audio_digest="mixed")
    sounds = corpus_features(mixed, LOGSPEC, SETTINGS, tmp_path / "cache").sounds
    assert len(sounds) == len(utterances)
    assert len(set(sounds[:7])) == 1
    assert len(set(sounds[6:])) == 1 + len(other)


def test_sounds_are_in_the_corpuss_order_and_part_of_the_entry(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    corpus, cache = make_corpus(0.1, 0.2, 0.1), tmp_path / "cache"
    first = corpus_features(corpus, LOGSPEC, SETTINGS, cache)
    assert first.sounds == tuple(hashlib.sha256(read_speech(one.path).data).hexdigest() for one in corpus.utterances)
    assert corpus_features(corpus, LOGSPEC, SETTINGS, cache).sounds == first.sounds
    backwards = replace(corpus, utterances=corpus.utterances[::-1], audio_digest="backwards")
    assert corpus_features(backwards, LOGSPEC, SETTINGS, cache).sounds == first.sounds[::-1]
    # They are of the speech, whatever the features
    wider = corpus_features(corpus, LOGSPEC, SETTINGS.model_copy(update={"n_bins": 30}), cache)
    assert wider.sounds == first.sounds


def test_an_entry_of_an_older_format_is_not_read(
    make_corpus: MakeCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, cache = make_corpus(0.1, 0.1), tmp_path / "cache"
    with monkeypatch.context() as older:
        older.setattr(extraction, "FEATURE_FORMAT", extraction.FEATURE_FORMAT - 1)
        corpus_features(corpus, LOGSPEC, SETTINGS, cache)
    assert len(corpus_features(corpus, LOGSPEC, SETTINGS, cache).sounds) == 2
    assert len(entry_folders(cache)) == 2


def test_a_recording_that_cannot_be_used_is_named_and_nothing_is_left(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    corpus, cache = make_corpus(0.1, 0.1, 0.01, 0.1), tmp_path / "cache"
    with pytest.raises(AudioError, match=r"noise/2\.wav: speech of 0\.010 s is shorter than one window"):
        corpus_features(corpus, LOGSPEC, SETTINGS, cache)
    assert entry_folders(cache) == []
    # Once it is mended, the corpus is another one and extraction starts anew
    mended = replace(corpus, utterances=corpus.utterances[:2], audio_digest="mended")
    assert len(corpus_features(mended, LOGSPEC, SETTINGS, cache).lengths) == 2


@pytest.mark.parametrize("limit_bytes", [50, 150, 5000])
def test_a_full_disk_is_reported_and_what_fitted_is_kept(
    limit_bytes: int, make_corpus: MakeCorpus, tmp_path: Path
) -> None:
    # Small features: 64 bytes of frames, 152 of offsets, so the limits hit the one, the other, and large frames
    durations_s = (0.5, 0.5) if limit_bytes == 5000 else (0.05, 0.05)
    settings = SETTINGS if limit_bytes == 5000 else SETTINGS.model_copy(update={"n_bins": 8})
    corpus, cache = make_corpus(*durations_s), tmp_path / "cache"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limits[1]))
    try:
        with pytest.raises(StorageError, match=r"the feature cache in '.*cache' cannot be written: .*SER_TUNE_CACHE"):
            corpus_features(corpus, LOGSPEC, settings, cache)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(entry_folders(cache)) == (limit_bytes == 5000)  # nothing is left of an entry without utterances
    counting = Counting()
    assert len(corpus_features(corpus, counting.feature_set(), settings, cache).lengths) == 2
    assert counting.count == (1 if limit_bytes == 5000 else 2)


def test_a_place_that_cannot_be_written_is_named(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    # A file where the folder should be: permissions would not stop the superuser
    (tmp_path / "cache").touch()
    with pytest.raises(StorageError, match=r"the feature cache in '.*cache/features' cannot be written"):
        corpus_features(make_corpus(0.1, 0.1), LOGSPEC, SETTINGS, tmp_path / "cache" / "features")


def test_another_user_may_read_an_entry(make_corpus: MakeCorpus, tmp_path: Path) -> None:
    corpus_features(make_corpus(0.1, 0.1), LOGSPEC, SETTINGS, tmp_path / "cache")
    (entry,) = entry_folders(tmp_path / "cache")
    (tmp_path / "ordinary").mkdir()
    assert entry.stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def _flipped(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8 % len(content)] ^= 1 << bit % 8
    path.write_bytes(content)
    changed_ns = path.stat().st_mtime_ns + 1_000_000  # clocks of file systems tick every few milliseconds
    os.utime(path, ns=(changed_ns, changed_ns))


NAMES = ("frames.bin", "moments.bin", "index.bin", "meta.json")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("harm", ["a bit", "the end", "everything", "gone", "more", "a folder"])
def test_what_is_damaged_is_extracted_again_and_named(
    harm: str, name: str, make_corpus: MakeCorpus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    corpus, counting, cache = make_corpus(0.1, 0.2, 0.3), Counting(), tmp_path / "cache"
    before = corpus_features(corpus, LOGSPEC, SETTINGS, tmp_path / "before")
    corpus_features(corpus, counting.feature_set(), SETTINGS, cache)
    (entry,) = entry_folders(cache)
    file = entry / name
    if harm == "a bit":
        _flipped(file, bit=1000 + len(name))
    elif harm in ("gone", "a folder"):
        file.unlink()
        if harm == "a folder":
            file.mkdir()
    else:
        content = file.read_bytes()
        file.write_bytes({"the end": content[:-1], "everything": b"", "more": content + b"0"}[harm])
    with pytest.raises(StorageError, match=rf"the cached features in '{entry}' .*; repeat the command"):
        FeatureStore.open(entry)  # as a worker, which has no recordings
    assert_equal_stores(corpus_features(corpus, counting.feature_set(), SETTINGS, cache), before)
    again = 3 if name == "meta.json" or harm in ("everything", "gone", "a folder") else harm != "more"
    assert counting.count == 3 + again  # what is intact is kept
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert re.search(
        rf"the cached features in '{entry}' (are damaged|lack|cannot be read).*; they are extracted again", caplog.text
    )
    assert entry_folders(cache) == [entry]
    corpus_features(corpus, counting.feature_set(), SETTINGS, cache)
    assert counting.count == 3 + again


@given(st.integers(0), st.sampled_from(NAMES))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_flipped_bit_is_seen(made: Path, bit: int, name: str) -> None:
    content = (made / name).read_bytes()
    _flipped(made / name, bit)
    assert re.search("are damaged: those of . of 2 utterances|meta.json is damaged", entry.damage_of(made) or "")
    (made / name).write_bytes(content)
    assert entry.damage_of(made) is None


def test_every_flipped_bit_of_the_sizes_is_seen(made: Path) -> None:
    for bit in range(8 * (made / "meta.json").stat().st_size):  # such as 0 utterances, of 2
        _flipped(made / "meta.json", bit)
        assert "damaged" in (entry.damage_of(made) or ""), bit
        assert PartialEntry.continued(made, 2) is None, bit
        _flipped(made / "meta.json", bit)
    assert entry.damage_of(made) is None


@pytest.fixture
def made(make_corpus: MakeCorpus, tmp_path: Path) -> Path:
    """An entry."""
    corpus_features(make_corpus(0.1, 0.2), LOGSPEC, SETTINGS, tmp_path / "cache")
    return entry_folders(tmp_path / "cache")[0]


def test_an_entry_is_read_once_in_a_process(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (made / "index.bin").touch()
    assert entry.damage_of(made) is None
    monkeypatch.setattr(entry, "intact", lambda *told: pytest.fail("it is read again"))
    assert entry.damage_of(made) is None


def test_a_large_entry_is_read_once_in_a_week(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []

    def read(folder: Path, layout: entry.Layout, original: Any = entry.intact) -> np.ndarray:
        reads.append(folder)
        return original(folder, layout)

    def another_process() -> str | None:
        monkeypatch.setattr(entry, "_intact", set())
        return entry.damage_of(made)

    monkeypatch.setattr(entry, "intact", read)
    assert [another_process() for _ in range(2)] == [None, None]
    assert len(reads) == 2
    monkeypatch.setattr(entry, "LARGE", 1)
    assert [another_process() for _ in range(3)] == [None, None, None]
    assert len(reads) == 3
    _flipped(made / "frames.bin", 1000)  # its time changes
    assert "are damaged" in (another_process() or "")
    _flipped(made / "frames.bin", 1000)
    assert another_process() is None
    now = time.time() + entry.TRUSTED_S
    monkeypatch.setattr(entry.time, "time", lambda: now)
    assert another_process() is None
    assert len(reads) == 6


def test_every_feature_sets_settings_make_a_key_of_their_own() -> None:
    everyone: list[FeatureSettings] = [
        FEATURE_SETS.get(name).settings.model_validate({}) for name in FEATURE_SETS.names()
    ]
    assert len({one.model_dump_json() for one in everyone}) == len(everyone)
