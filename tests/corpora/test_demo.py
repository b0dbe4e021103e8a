"""The synthesised corpus: the same every time, whole or not there, and neither trivial nor impossible."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_tune.audio import SAMPLE_RATE_HZ, read_speech
from ser_tune.corpora import demo, demo_annotators
from ser_tune.errors import CorpusError, StorageError
from tests.warm_processes import warm_context


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = tmp_path_factory.mktemp("demo") / "not yet there"
    demo.CORPUS.read(None, cache)
    return cache


@pytest.mark.slow
def test_six_speakers_express_four_emotions_five_times(cache: Path) -> None:
    utterances = demo.read(None, cache)
    cells = Counter((utterance.speaker, utterance.emotion) for utterance in utterances)
    assert len(cells) == 6 * 4
    assert set(cells.values()) == {5}
    assert {utterance.emotion for utterance in utterances} == set(demo.EMOTIONS)


def test_recordings_are_16_khz_mono_16_bit_of_about_a_second(cache: Path) -> None:
    for utterance in demo.read(None, cache):
        details = soundfile.info(utterance.path)
        assert (details.samplerate, details.channels, details.subtype) == (SAMPLE_RATE_HZ, 1, "PCM_16")
        assert 1.0 <= details.duration <= 1.6


def test_recordings_neither_clip_nor_repeat(cache: Path) -> None:
    waveforms = [read_speech(utterance.path) for utterance in demo.read(None, cache)]
    assert all(np.abs(waveform).max() < 0.99 for waveform in waveforms)
    assert len({waveform.tobytes() for waveform in waveforms}) == len(waveforms)


def test_an_utterance_does_not_depend_on_the_others(cache: Path) -> None:
    # The last file of the folder was made after 119 others; here it is made alone.
    written, _ = soundfile.read(cache / f"demo-{demo.VERSION}" / "s6_sadness_5.wav", dtype="int16")
    np.testing.assert_array_equal(written, demo.synthesise("s6", "sadness", 5))


def test_a_second_reading_writes_nothing(cache: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    demo.read(None, cache)
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*")} == before


def test_recordings_to_try_a_model_with_are_of_a_speaker_who_is_not_in_the_corpus(cache: Path) -> None:
    utterances = demo.read(None, cache)
    paths = demo.write_unseen(utterances[0].path.parent)
    assert [path.name for path in paths] == [f"s7_{emotion}_1.wav" for emotion in demo.EMOTIONS]
    assert not {path.stem.partition("_")[0] for path in paths} & {utterance.speaker for utterance in utterances}
    assert not {path.read_bytes() for path in paths} & {utterance.path.read_bytes() for utterance in utterances}
    assert demo.read(None, cache) == utterances  # the corpus is as it was
    times = [path.stat().st_mtime_ns for path in paths]
    assert [path.stat().st_mtime_ns for path in demo.write_unseen(utterances[0].path.parent)] == times


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["a bit", "the end", "gone", "complete"])
def test_damaged_recordings_are_made_again_and_named(
    harm: str, cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = shutil.copytree(cache / f"demo-{demo.VERSION}", tmp_path / f"demo-{demo.VERSION}")
    file = folder / ("complete" if harm == "complete" else "s3_anger_2.wav")
    content = file.read_bytes()
    if harm == "gone":
        file.unlink()
    else:
        file.write_bytes({"a bit": content[:-9] + bytes([content[-9] ^ 4]) + content[-8:]}.get(harm, content[:-1]))
    demo.read(None, tmp_path)
    assert file.read_bytes() == content
    assert [record.message for record in caplog.records] == [
        f"note: recordings of corpus demo in '{folder}' are damaged; they are made again"
    ]


@pytest.mark.slow
def test_a_half_written_folder_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / f"demo-{demo.VERSION}"
    folder.mkdir()
    (folder / "s1_anger_1.wav").write_bytes(b"half")
    assert all(utterance.path.stat().st_size > 1000 for utterance in demo.read(None, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


@pytest.mark.slow
def test_two_processes_may_make_it_at_once(tmp_path: Path) -> None:
    with warm_context().Pool(2) as pool:
        first, second = pool.starmap(demo.read, [(None, tmp_path)] * 2)
    assert first == second
    assert all(utterance.path.is_file() for utterance in first)
    assert [path.name for path in tmp_path.iterdir()] == [f"demo-{demo.VERSION}"]


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="expected no --data"):
        demo.read(tmp_path, tmp_path)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(StorageError, match=r"corpus demo cannot be written to '.*file"):
        demo.read(None, blocked)


@pytest.mark.slow
def test_angry_speech_is_brighter_than_sad_speech(cache: Path) -> None:
    # The plainest cue; a loss of it would show first in the scores of every tutorial.
    def brightness(speaker: str, emotion: str) -> float:
        ratios = []
        for number in range(1, 6):
            power = np.abs(np.fft.rfft(demo.synthesise(speaker, emotion, number) / 32768)) ** 2
            split = len(power) // 4  # 2 kHz
            ratios.append(10 * np.log10(power[split:].sum() / power[:split].sum()))
        return float(np.mean(ratios))

    for speaker in ("s1", "s2", "s3", "s4", "s5", "s6"):
        assert brightness(speaker, "anger") > brightness(speaker, "sadness") + 3


def test_annotations_are_the_judgements_of_seven_annotators_and_always_the_same(cache: Path) -> None:
    utterances, again = demo.read(None, cache), demo.read(None, cache)
    assert utterances == again
    for utterance in utterances:
        annotation = utterance.annotation
        votes, secondary = dict(annotation.votes), dict(annotation.secondary)
        assert annotation.annotators == len(annotation.ratings) == sum(votes.values()) == 7
        assert all(list(field) == sorted(field) for field in (annotation.votes, annotation.secondary))
        heard = {name for name in demo.EMOTIONS if votes.get(name, 0) + secondary.get(name, 0) >= 2}
        assert annotation.emotions == tuple(sorted(heard)) != ()
        assert [name for name, _ in annotation.dimensions] == ["energy", "pitch_range", "rate"]
        np.testing.assert_allclose(np.mean(annotation.ratings, axis=0), [mean for _, mean in annotation.dimensions])
        assert set(np.ravel(annotation.ratings)) <= {1.0, 2.0, 3.0, 4.0, 5.0}


def test_dimensions_follow_the_synthesisers_parameters_more_than_the_speaker(cache: Path) -> None:
    utterances = demo.read(None, cache)
    ratings = np.array([[value for _, value in utterance.annotation.dimensions] for utterance in utterances])
    speakers = np.array([utterance.speaker for utterance in utterances])
    louder = [utterance.emotion == "anger" for utterance in utterances]
    softer = [utterance.emotion == "sadness" for utterance in utterances]
    assert (ratings[louder].mean(axis=0) > ratings[softer].mean(axis=0) + 1).all()
    between = [ratings[speakers == speaker].mean(axis=0) for speaker in np.unique(speakers)]
    assert (np.var(between, axis=0) < 0.1 * ratings.var(axis=0)).all()


def test_choices_have_the_known_confusions() -> None:
    rng = np.random.default_rng(0)
    reliability = np.mean([annotator.reliability for annotator in demo_annotators.ANNOTATORS])
    for expressed, mistaken in demo_annotators.CONFUSIONS.items():
        assert sum(mistaken.values()) == pytest.approx(1)
        votes: Counter[str] = Counter()
        for _ in range(300):
            votes.update(demo_annotators.judge(expressed, 0.8, np.zeros(1), rng).votes)
        right = demo_annotators.certainty(0.8) * reliability
        for name, share in mistaken.items():
            expected = (1 - right) * share + right * (name == expressed)
            assert votes[name] / votes.total() == pytest.approx(expected, abs=0.04)
