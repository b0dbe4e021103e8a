"""IEMOCAP: labels stand in files of their own, among much else; the layout and its lines are made up."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, cycle
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_tune.corpora import Corpus
from ser_tune.corpora.iemocap import CORPUS, EMOTION_COUNTS, EMOTIONS, IMPROVISED_COUNTS, MERGED_COUNTS, read
from ser_tune.errors import CorpusError
from tests.folding import speaker_folds

NAMES = {emotion: code for code, emotion in EMOTIONS.items()}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "tiny.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0.0, 0.1, 64), 16_000)
    return path


def _write(folder: Path, dialog: str, turns: Sequence[tuple[str, str]], sound: Path) -> Path:
    """A dialog's label file, with all that stands between labels, and its recordings; turns are (id, label)."""
    session = folder / f"Session{dialog[4]}"
    lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
    for number, (turn, label) in enumerate(turns):
        lines += [
            f"[{number}.2901 - {number}.8357]\t{turn}\t{label}\t[2.5000, 2.5000, 2.5000]",
            "C-E2:\tNeutral;\t()",
            "C-F1:\tHappiness; Other;\t(caf\xe9 [5.0 - 6.0])",
            "A-E3:\tval 3; act 2; dom  2;\t()",
            "",
        ]
    recordings = session / "sentences" / "wav" / dialog
    recordings.mkdir(parents=True)
    for turn, _ in turns:
        os.link(sound, recordings / f"{turn}.wav")
    labels = session / "dialog" / "EmoEvaluation" / f"{dialog}.txt"
    labels.parent.mkdir(parents=True, exist_ok=True)
    labels.write_text("\n".join(lines), encoding="latin-1")
    return labels


def _small(folder: Path, sound: Path) -> Path:
    """Two turns of each subset's emotions, one without a majority."""
    turns = [(f"Ses01F_impro01_{gender}{number:03}", label) for gender, number, label in _parts()]
    return _write(folder, "Ses01F_impro01", [*turns, ("Ses01F_impro01_F099", "xxx")], sound)


def _parts() -> Iterator[tuple[str, int, str]]:
    yield from ((gender, number, label) for number, label in enumerate(("ang", "hap", "neu", "sad")) for gender in "FM")


def _whole(folder: Path, sound: Path) -> None:
    """All 10,039 turns with their known labels, dealt to dialogs of both styles in five sessions."""
    improvised = {name: IMPROVISED_COUNTS.get(name, count // 2) for name, count in EMOTION_COUNTS.items()}
    scripted = {name: count - improvised[name] for name, count in EMOTION_COUNTS.items()}
    for style, counts, disputed in (("impro", improvised, 1500), ("script", scripted, 1007)):
        labels = chain.from_iterable([NAMES[name]] * count for name, count in counts.items())
        dialogs: dict[str, list[tuple[str, str]]] = {}
        places = cycle((session, number) for number in range(1, 6) for session in range(1, 6))
        for number, label in enumerate([*labels, *["xxx"] * disputed]):
            session, part = next(places)
            dialog = f"Ses0{session}{'FM'[part % 2]}_{style}0{part}"
            dialogs.setdefault(dialog, []).append((f"{dialog}_{'FM'[number % 2]}{number:04}", label))
        for dialog, turns in dialogs.items():
            _write(folder, dialog, turns, sound)


def _counts(corpus: Corpus) -> Mapping[str, int]:
    return Counter(one.emotion for one in corpus.utterances)


@pytest.mark.slow
def test_both_usual_subsets_have_their_known_counts(tmp_path: Path, sound: Path) -> None:
    _whole(tmp_path, sound)
    assert len(list(tmp_path.rglob("*.wav"))) == 10_039
    improvised = Corpus.load(CORPUS, tmp_path, tmp_path)
    assert _counts(improvised) == IMPROVISED_COUNTS == {"anger": 289, "happiness": 284, "sadness": 608, "neutral": 1099}
    assert (len(improvised.utterances), improvised.styles) == (2280, ("improvised",))
    merged = Corpus.load(CORPUS, tmp_path, tmp_path, subset="merged")
    assert _counts(merged) == MERGED_COUNTS == {"anger": 1103, "happiness": 1636, "sadness": 1084, "neutral": 1708}
    assert (len(merged.utterances), merged.styles) == (5531, ("improvised", "scripted"))
    assert merged.merge == {"excitement": "happiness"}
    assert improvised.speakers == merged.speakers == CORPUS.speakers
    folds = speaker_folds(merged)
    assert len(folds) == CORPUS.folds == 10
    assert all(one.validation_speakers[0][0] == one.test_speakers[0][0] for one in folds)  # of one session
    everything = read(tmp_path, tmp_path)
    assert Counter(one.emotion for one in everything) == EMOTION_COUNTS
    assert len(everything) == 10_039 - 2507


def test_the_speaker_is_not_who_wore_the_markers(tmp_path: Path, sound: Path) -> None:
    _write(
        tmp_path, "Ses03M_script01_1b", [("Ses03M_script01_1b_F007", "exc"), ("Ses03M_script01_1b_M012", "fru")], sound
    )
    first, second = read(tmp_path, tmp_path)
    assert (first.speaker, second.speaker) == ("3F", "3M")
    assert (first.group, first.style, first.emotion, first.text) == ("Session3", "scripted", "excitement", "")
    assert second.emotion == "frustration"


def test_the_words_of_a_turn_are_its_text_where_the_dialog_is_transcribed(tmp_path: Path, sound: Path) -> None:
    labels = _small(tmp_path, sound)
    words = labels.parent.parent / "Transcriptions" / labels.name
    words.parent.mkdir()
    lines = [
        "Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me. ",
        "M: [LAUGHTER]",
        "Ses01F_impro01_M000 [010.0100-011.3925]: excuse   me!",
        "Ses01F_impro01_F001 [011.0000-012.0000]: Caf\xe9?",
        "Ses01F_impro01_FXX0 [012.0000-013.0000]: Not a turn.",
    ]
    words.write_text("\n".join(lines), encoding="latin-1")
    texts = {one.id.removeprefix("Ses01F_impro01_"): one.text for one in read(tmp_path, tmp_path)}
    assert (texts["F000"], texts["M000"], texts["F001"]) == ("excuse me", "excuse me", "caf\ufffd")
    assert texts["M001"] == ""
    words.unlink()
    assert {one.text for one in read(tmp_path, tmp_path)} == {""}


def test_what_lies_beside_label_files_and_recordings_is_left_alone(tmp_path: Path, sound: Path) -> None:
    labels = _small(tmp_path, sound)
    others = labels.parent
    for name in ("._Ses01F_impro01.txt", ".DS_Store", "notes.txt"):
        (others / name).write_bytes(b"\x00\xff rubbish")
    for name in ("Categorical", "Attribute", "Self-evaluation", "Ses01F_impro02.txt"):
        (others / name).mkdir()
        (others / name / "Ses01F_impro01_e2_cat.txt").write_text("Ses01F_impro01_F000 :Neutral state; ()")
    wav = tmp_path / "Session1" / "sentences" / "wav"
    (wav / "._Ses01F_impro01").touch()
    (wav / "Ses01F_impro01" / "._Ses01F_impro01_F000.wav").write_text("rubbish")
    (tmp_path / "Documentation").mkdir()
    found = read(tmp_path, tmp_path)
    assert len(found) == 8  # the ninth is xxx
    assert not any(one.path.name.startswith(".") for one in found)


def test_folders_and_endings_come_in_any_case(tmp_path: Path, sound: Path) -> None:
    _small(tmp_path, sound)
    session = tmp_path / "Session1"
    for path in (session / "sentences" / "wav").rglob("*.wav"):
        path.rename(path.with_suffix(".WAV"))
    (session / "sentences").rename(session / "Sentences")
    (session / "dialog" / "EmoEvaluation").rename(session / "dialog" / "emoevaluation")
    session.rename(tmp_path / "SESSION1")
    assert {one.group for one in read(tmp_path, tmp_path)} == {"Session1"}


def test_a_turn_without_its_recording_is_named(tmp_path: Path, sound: Path) -> None:
    _small(tmp_path, sound)
    recordings = tmp_path / "Session1" / "sentences" / "wav" / "Ses01F_impro01"
    (recordings / "Ses01F_impro01_F099.wav").unlink()  # of a turn that nobody could label
    assert len(read(tmp_path, tmp_path)) == 8
    (recordings / "Ses01F_impro01_M002.wav").unlink()
    with pytest.raises(
        CorpusError, match=r"impro01\.txt, line 28: turn 'Ses01F_impro01_M002' has no recording; expected"
    ):
        read(tmp_path, tmp_path)
    recordings.rename(recordings.with_name("elsewhere"))
    with pytest.raises(CorpusError, match="turn 'Ses01F_impro01_F000' has no recording"):
        read(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\tang\t", "\tanger\t", "line 3: unknown label 'anger'; expected one of ang, dis, .* or xxx"),
        ("F000\tang", "F000 ang", r"line 3: '\[0.2901 .*' is not \[start - end\]<TAB>id"),
        ("Ses01F_impro01_F000", "Ses02F_impro01_F000", "'Ses02F_impro01_F000' is no turn of dialog Ses01F_impro01 in"),
        ("Ses01F_impro01_F000", "Ses01F_impro01_X000", "'Ses01F_impro01_X000' is no turn of"),
        ("Ses01F_impro01_F000", "Ses01F_impro02_F000", "'Ses01F_impro02_F000' is no turn of"),
        ("[", "(", r"impro01\.txt labels no turn; expected lines such as"),
    ],
)
def test_a_label_file_that_is_not_as_described_is_refused(
    tmp_path: Path, sound: Path, old: str, new: str, message: str
) -> None:
    labels = _small(tmp_path, sound)
    labels.write_text(labels.read_text(encoding="latin-1").replace(old, new), encoding="latin-1")
    with pytest.raises(CorpusError, match=message):
        read(tmp_path, tmp_path)


def test_a_folder_that_is_missing_in_a_session_is_named(tmp_path: Path, sound: Path) -> None:
    labels = _small(tmp_path, sound)
    (tmp_path / "Session1" / "sentences").rename(tmp_path / "Session1" / "gone")
    with pytest.raises(CorpusError, match="Session1' has no folder 'sentences'; expected it in every session"):
        read(tmp_path, tmp_path)
    labels.unlink()
    with pytest.raises(CorpusError, match=r"no label files in '.*EmoEvaluation'; expected names such as"):
        read(tmp_path, tmp_path)
    with pytest.raises(CorpusError, match=r"no session in '.*'; expected folders Session1 to Session5"):
        read(tmp_path / "Session1", tmp_path)
