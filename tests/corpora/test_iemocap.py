"""IEMOCAP: labels stand in files of their own, among much else; the layout and its lines are made up."""

import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, cycle
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_tune.corpora import Annotation, Corpus, Need
from ser_tune.corpora.iemocap import CORPUS, EMOTION_COUNTS, EMOTIONS, IMPROVISED_COUNTS, MERGED_COUNTS, read
from ser_tune.corpora.selection import choose
from ser_tune.errors import CorpusError
from tests.folding import speaker_folds

NAMES = {emotion: code for code, emotion in EMOTIONS.items()}
SPELT = {emotion: emotion.capitalize() for emotion in NAMES} | {"excitement": "Excited", "neutral": "Neutral"}
"""Emotion to its spelling in annotators' lines."""


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


def _annotated(folder: Path, sound: Path, *lines: str, label: str = "ang") -> Annotation:
    """The annotation of a turn that has these lines of annotators."""
    labels = _write(folder, "Ses01F_impro01", [("Ses01F_impro01_F000", label)], sound)
    turn = f"[0.2901 - 0.8357]\tSes01F_impro01_F000\t{label}\t[2.5000, 3.0000, 5.5000]"
    labels.write_text("\r\n".join([turn, *lines]), encoding="latin-1", newline="")
    (utterance,) = read(folder, folder)
    return utterance.annotation


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
    assert Counter(turn.emotion for turn in everything) == {**EMOTION_COUNTS, "": 2507}
    assert len(everything) == 10_039


@pytest.mark.slow
def test_every_turn_has_the_votes_of_three_annotators_and_the_dimensions_of_its_line(
    tmp_path: Path, sound: Path
) -> None:
    draw = np.random.default_rng(0)
    expected: dict[str, tuple[str, Counter[str], dict[str, float]]] = {}
    labels = [*chain.from_iterable([name] * count for name, count in EMOTION_COUNTS.items()), *[""] * 2507]
    dialogs: dict[str, list[str]] = {}
    for number, label in enumerate(labels):
        dialog = f"Ses0{number % 5 + 1}{'FM'[number % 2]}_{('impro', 'script')[number % 3 == 0]}0{number % 7 + 1}"
        turn = f"{dialog}_{'FM'[number % 2]}{number:05}"
        lists = [list(draw.permutation(sorted(SPELT))[: 1 + (draw.random() < 0.04)]) for _ in range(3)]
        if label:  # two of three chose it first, and no other has as many votes
            lists = [[label], [label], [name for name in lists[2] if draw.random() < 0.9] or [label]]
        means = dict(zip(("valence", "arousal", "dominance"), (draw.integers(1, 12, 3) / 2).tolist(), strict=True))
        expected[turn] = label, Counter(name for names in lists for name in set(names)), means
        lines = [f"C-E{of}:\t{' '.join(f'{SPELT[name]};' for name in names)}\t()" for of, names in enumerate(lists)]
        rates = [f"A-E{of}:\tval {draw.integers(1, 6)}; act {draw.integers(1, 6)}; dom  ;\t(\xfe)" for of in (1, 4)]
        own = f"C-{turn[-6]}1:\tHappiness; Other; Surprise;\t()"
        line = (
            f"[1.0 - 2.5]\t{turn}\t{NAMES.get(label, 'xxx')}\t[{', '.join(f'{mean:.4f}' for mean in means.values())}]"
        )
        dialogs.setdefault(dialog, []).append("\n".join([line, *lines, own, *rates, f"A-{turn[-6]}1:\tval 1; act 1;"]))
    for dialog, blocks in dialogs.items():
        _write(tmp_path, dialog, [], sound).write_text("%\n\n" + "\n\n".join(blocks), encoding="latin-1")
        for block in blocks:
            turn = block.split("\t")[1]
            os.link(sound, tmp_path / f"Session{turn[4]}" / "sentences" / "wav" / dialog / f"{turn}.wav")
    found = {utterance.id: utterance for utterance in read(tmp_path, tmp_path)}
    assert len(expected) == 10_039
    assert set(found) == set(expected)
    for turn, utterance in found.items():
        label, votes, means = expected[turn]
        annotation = utterance.annotation
        assert (utterance.emotion, dict(annotation.votes), dict(annotation.dimensions)) == (label, votes, means)
        assert (annotation.annotators, len(annotation.ratings)) == (3, 2)
        assert all(math.isnan(dominance) for _, dominance, _ in annotation.ratings)
        most = max(votes.values())
        assert not label or [name for name, count in annotation.votes if count == most] == [label]
    needed: dict[str, Need] = {"votes": "votes", "dimensions": "dimensions", "several": "emotions"}
    for subset, needs in needed.items():
        chosen = choose(found.values(), CORPUS.subsets[subset], "iemocap", needs=needs)
        assert (len(chosen.utterances), chosen.left_out) == (10_039, 0)
    chosen = choose(found.values(), CORPUS.subsets["all"], "iemocap")
    assert (len(chosen.utterances), chosen.left_out) == (7532, 2507)


def test_votes_are_of_annotators_and_an_annotator_may_name_several(tmp_path: Path, sound: Path) -> None:
    annotation = _annotated(
        tmp_path,
        sound,
        "C-E1:\tNeutral; Anger;\t(a remark; Fear; \xe9)",
        "C-E2:\tNeutral state;\t()",
        "c-e4: ANGER ; anger;",
        "C-E6:\tExcited;",
        "C-F1:\tHappiness;\t()",
        "C-M1:\tSadness; Other;\t()",
    )
    assert annotation.votes == (("anger", 2), ("excitement", 1), ("neutral", 2))
    assert annotation.annotators == 4
    assert (annotation.secondary, annotation.emotions) == ((), ())


def test_dimensions_are_of_the_turns_line_and_ratings_of_its_annotators(tmp_path: Path, sound: Path) -> None:
    annotation = _annotated(
        tmp_path,
        sound,
        "A-E3:\tval 3; act 2; dom  2;\t(val 9; act 9)",
        "A-E4:\tval 2; act 4; dom  ;\t()",
        "A-E5:\tact 0.5;\t()",
        "A-F1:\tval 1; act 1; dom  1;\t()",
        label="fru",
    )
    assert annotation.dimensions == (("arousal", 3.0), ("dominance", 5.5), ("valence", 2.5))
    first, second, third = annotation.ratings
    assert first == (2.0, 2.0, 3.0)
    assert (second[0], second[2], third[0]) == (4.0, 2.0, 0.5)
    assert all(math.isnan(rating) for rating in (second[1], *third[1:]))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("C-E2:\tNeutral; Envy;\t()", "line 2: an annotator named 'envy'; expected one or more of anger, disgust, ex"),
        ("A-E2:\tval 3; act high; dom 2;\t()", "line 2: an annotator rated 'act high'; expected val, act or dom, and"),
        ("A-E2:\tval 3; pow 3;\t()", "line 2: an annotator rated 'pow 3'; expected val, act or dom, and a number"),
        ("A-E2:\tval inf; act 3; dom 2;\t()", "line 2: an annotator rated 'val inf'"),
    ],
)
def test_an_annotators_line_that_is_not_as_described_is_refused(
    tmp_path: Path, sound: Path, line: str, message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        _annotated(tmp_path, sound, line)


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
    assert len(found) == 9
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
    (recordings / "Ses01F_impro01_F099.wav").unlink()  # of a turn without majority
    with pytest.raises(CorpusError, match="turn 'Ses01F_impro01_F099' has no recording"):
        read(tmp_path, tmp_path)
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
        ("[2.5000, 2.5000, 2.5000]", "[2.5, 2.5]", r"line 3: '\[2.5, 2.5\]' is not \[valence, arousal, dominance\]"),
        ("[2.5000, 2.5000, 2.5000]", "[2.5, nan, 2.5]", r"line 3: '\[2.5, nan, 2.5\]' is not \[valence"),
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
