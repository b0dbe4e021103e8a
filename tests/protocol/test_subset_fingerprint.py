"""The fingerprint of tasks, speaking styles and merges, of a corpus that has them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ser_tune.errors import ProtocolError
from ser_tune.protocol import Protocol

Of = Callable[..., Protocol]


@pytest.fixture(scope="module")
def iemocap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """IEMOCAP's layout: three sessions, one turn of some emotions by each speaker in each style."""
    root = tmp_path_factory.mktemp("iemocap")
    for session in (1, 2, 3):
        for style in ("impro", "script"):
            dialog = f"Ses0{session}F_{style}01"
            recordings = root / f"Session{session}" / "sentences" / "wav" / dialog
            labels = root / f"Session{session}" / "dialog" / "EmoEvaluation"
            recordings.mkdir(parents=True)
            labels.mkdir(parents=True, exist_ok=True)
            lines = []
            for gender in "FM":
                for number, label in enumerate(("ang", "hap", "exc", "neu", "sad", "fru")):
                    turn = f"{dialog}_{gender}{number:03}"
                    (recordings / f"{turn}.wav").write_bytes(turn.encode())
                    lines.append(f"[{number}.2901 - {number}.8357]\t{turn}\t{label}\t[2.5000, 2.5000, 2.5000]")
            (labels / f"{dialog}.txt").write_text("\n".join(lines), encoding="utf-8")
    return root


FOUR = ("anger", "happiness", "neutral", "sadness")


@pytest.mark.parametrize(
    ("short", "written_out"),
    [
        # A task is short for settings
        ({}, {"corpus.task": "improvised"}),
        ({}, {"corpus.task": "all", "protocol.styles": ("improvised",), "protocol.emotions": FOUR}),
        (
            {"corpus.task": "merged"},
            {
                "corpus.task": "all",
                "protocol.merge": ("excitement=happiness",),
                "protocol.emotions": FOUR[::-1],
                "protocol.styles": ("scripted", "improvised"),
            },
        ),
        # What is merged into an emotion that is not kept leaves no trace
        (
            {"corpus.task": "merged", "protocol.emotions": ("anger", "neutral")},
            {"corpus.task": "all", "protocol.emotions": ("anger", "neutral")},
        ),
    ],
)
def test_the_same_utterances_and_classes_have_one_fingerprint_however_they_are_chosen(
    of: Of, iemocap: Path, short: dict[str, object], written_out: dict[str, object]
) -> None:
    here, there = (of(iemocap, **{"corpus.name": "iemocap"} | flags) for flags in (short, written_out))
    assert there.differences(here) == []
    assert there.fingerprint == here.fingerprint


@pytest.mark.parametrize(
    ("flags", "fact"),
    [
        ({"corpus.task": "merged"}, "corpus_digest .*; merged is 'excitement=happiness', .*; styles is 'improvised, s"),
        ({"corpus.task": "all"}, "corpus_digest .*; emotions is 'anger, excitement, frustration.*; styles is "),
        ({"protocol.styles": ("scripted",)}, "corpus_digest .*; styles is 'scripted', not 'improvised'$"),
        ({"protocol.styles": ("scripted", "improvised")}, "corpus_digest .*; styles is 'improvised, scripted', "),
        ({"protocol.merge": ("excitement=happiness",)}, "corpus_digest .*; merged is 'excitement=happiness', not 'no"),
        ({"protocol.merge": ("frustration=anger",)}, "corpus_digest .*; merged is 'frustration=anger', not 'none'$"),
        ({"protocol.folds": "none"}, "folds is '6: validation/test 1F/1M, 1M/1F, 2F/2M, 2M/2F, 3F/3M, 3M/3F', not '3"),
    ],
    ids=str,
)
def test_other_utterances_or_classes_have_another_fingerprint(
    of: Of, iemocap: Path, flags: dict[str, object], fact: str
) -> None:
    here, there = (of(iemocap, **{"corpus.name": "iemocap"} | settings) for settings in ({}, flags))
    assert there.fingerprint != here.fingerprint
    with pytest.raises(ProtocolError, match=f"their protocols differ: {fact}"):
        there.refuse_other(here, "ranking")
