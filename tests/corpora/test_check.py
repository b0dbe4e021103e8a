"""What `corpus check` finds: every kind of problem is planted, and the rest is counted."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_tune.corpora import CORPORA, CorpusSource, Subset
from ser_tune.corpora.check import CorpusCheck, Problem, check_corpus
from ser_tune.errors import CorpusError

NOISE = np.random.default_rng(0).normal(0.0, 0.1, (6, 1600))
SPOKEN = (NOISE[0] * 2**15).astype(np.int16)
Check = Callable[..., CorpusCheck]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Check four good recordings by two speakers, and those given: (name, speaker, emotion, samples or bytes)."""
    good = [
        (f"{speaker}{emotion}.wav", speaker, emotion, NOISE[number] if number else SPOKEN)
        for number, (speaker, emotion) in enumerate((s, e) for s in ("ada", "bob") for e in ("anger", "joy"))
    ]

    def _check(
        *more: tuple[str, str, str, object], source: CorpusSource | None = None, rate: int = 16_000
    ) -> CorpusCheck:
        rows = ["path,speaker,emotion"]
        for name, speaker, emotion, content in (*good, *more):
            if isinstance(content, bytes):
                (tmp_path / name).write_bytes(content)
            else:
                soundfile.write(tmp_path / name, content, rate)
            rows.append(f"{name},{speaker},{emotion}")
        table = tmp_path / "corpus.csv"
        table.write_text("\n".join(rows))
        return check_corpus(source or CORPORA.get("manifest"), table, tmp_path)

    return _check


def _known(emotions: dict[str, int], speakers: dict[str, int], names: Sequence[str] = ()) -> CorpusSource:
    subset = Subset("every utterance", emotion_counts=emotions, speaker_counts=speakers)
    return replace(CORPORA.get("manifest"), subsets={"all": subset}, speakers=tuple(names))


def test_a_good_corpus_is_counted_and_measured(check: Check) -> None:
    found = check()
    assert found.ok
    assert found.problems == ()
    assert (found.corpus, found.subset) == ("manifest", "all")
    assert found.counts == {(speaker, emotion): 1 for speaker in ("ada", "bob") for emotion in ("anger", "joy")}
    assert found.speaker_counts == {"ada": 2, "bob": 2}
    assert found.emotion_counts == {"anger": 2, "joy": 2}
    assert found.lengths_s == (0.1,) * 4
    assert found.sample_rates_hz == {16_000: 4}


def test_rates_and_channels_are_counted(check: Check, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "stereo.flac", NOISE[4:6].T, 48_000)
    found = check(("stereo.flac", "ada", "joy", (tmp_path / "stereo.flac").read_bytes()))
    assert found.sample_rates_hz == {16_000: 4, 48_000: 1}
    assert found.channels == {1: 4, 2: 1}


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"this is no sound", "unreadable", "cannot be decoded as audio"),
        (b"", "unreadable", "is empty"),
        (np.zeros(0), "unreadable", "holds no samples"),
        (np.zeros(800), "silent", "is silent: all of its 800 samples are zero"),
    ],
    ids=["text", "empty", "no samples", "silent"],
)
def test_a_recording_that_cannot_be_used_is_wrong(check: Check, content: object, kind: str, message: str) -> None:
    found = check(("bad.wav", "ada", "joy", content), ("worse.wav", "ada", "joy", content))
    assert not found.ok
    assert [(one.kind, one.wrong, one.utterances) for one in found.problems] == [
        (kind, True, ("bad.wav",)),
        (kind, True, ("worse.wav",)),
    ]
    assert message in found.problems[0].message
    assert "bad.wav" in found.problems[0].message
    assert len(found.lengths_s) == 4
    assert found.speaker_counts["ada"] == 4  # it is there, though it cannot be used


@pytest.mark.parametrize(
    ("stretches", "clipped"),
    [
        ([(100, 3, 1.0)], 3),
        ([(100, 5, 1.0), (200, 4, -1.0)], 9),
        ([(100, 2, 1.0), (200, 2, -1.0)], 0),  # a recording that is scaled to full scale
        ([(100, 9, 0.9)], 0),
    ],
)
def test_clipping_is_a_warning(check: Check, stretches: list[tuple[int, int, float]], clipped: int) -> None:
    sound = NOISE[4].copy()
    for start, length, value in stretches:
        sound[start : start + length] = value
    found = check(("loud.wav", "ada", "joy", sound))
    assert found.ok
    assert [one.utterances for one in found.problems] == ([("loud.wav",)] if clipped else [])
    if clipped:
        assert found.problems[0].kind == "clipped"
        assert f"loud.wav: {clipped} samples stay at full scale" in found.problems[0].message


def test_clipping_is_seen_in_any_channel_and_in_8_bits(check: Check, tmp_path: Path) -> None:
    sound = np.clip(NOISE[4:6].T, -0.5, 0.5)
    sound[100:104, 1] = 1.0
    soundfile.write(tmp_path / "loud.wav", sound, 16_000, subtype="PCM_U8")
    found = check(("loud.wav", "ada", "joy", (tmp_path / "loud.wav").read_bytes()))
    assert "4 samples stay" in found.problems[0].message


@pytest.mark.parametrize(
    ("speaker", "emotion", "wrong"), [("ada", "anger", False), ("ada", "joy", True), ("bob", "anger", True)]
)
def test_one_sound_under_two_labels_is_wrong(check: Check, speaker: str, emotion: str, wrong: bool) -> None:
    found = check(("copy.flac", speaker, emotion, SPOKEN))  # another file, the same sound
    assert found.ok is not wrong
    (problem,) = found.problems
    assert (problem.kind, problem.wrong) == ("duplicate", wrong)
    assert set(problem.utterances) == {"adaanger.wav", "copy.flac"}
    assert "adaanger.wav (speaker ada, anger)" in problem.message
    assert f"copy.flac (speaker {speaker}, {emotion})" in problem.message


def test_other_counts_than_the_known_ones_are_wrong(check: Check) -> None:
    found = check(source=_known({"anger": 3, "envy": 1, "joy": 2}, {"ada": 1, "bob": 2}))
    assert [one.message for one in found.problems] == [
        "there is no utterance of emotion envy",
        "emotion anger has 2 utterances; 3 are published",
        "speaker ada has 2 utterances; 1 are published",
    ]
    assert not found.ok
    assert {one.kind for one in found.problems} == {"count"}


def test_speakers_are_missed_where_only_their_names_are_known(check: Check) -> None:
    found = check(source=_known({"anger": 2, "joy": 2}, {}, ["ada", "bob", "cyd", "dan"]))
    assert found.problems == (Problem("count", True, "there is no utterance of speaker cyd, dan"),)


def test_progress_counts_recordings_and_an_interruption_ends_it(check: Check, tmp_path: Path) -> None:
    check()
    told: list[tuple[int, int]] = []
    arguments = (CORPORA.get("manifest"), tmp_path / "corpus.csv", tmp_path)
    check_corpus(*arguments, progressed=lambda *progress: told.append(progress))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_corpus(*arguments, progressed=interrupt)


def test_a_corpus_that_cannot_be_listed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="'nowhere' is not a folder"):
        check_corpus(CORPORA.get("emodb"), Path("nowhere"), tmp_path)


def test_of_many_identical_recordings_a_few_are_named(check: Check) -> None:
    found = check(*((f"copy{number:02d}.wav", "ada", "anger", SPOKEN) for number in range(30)))
    (problem,) = (problem for problem in found.problems if problem.kind == "duplicate")
    assert problem.message.startswith("the same sound 31 times: adaanger.wav (speaker ada, anger), copy00.wav")
    assert problem.message.endswith(" and 11 more")
    assert len(problem.utterances) == 31
