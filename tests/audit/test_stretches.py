"""Stretches of one recording: heard by themselves, and counted where they overlap on two sides."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.audit import Audit, audit_split, read_split
from ser_tune.audit.file_checks import stretches
from ser_tune.audit.split import Row, Split
from ser_tune.corpora import Utterance
from tests.split_tables import EMOTIONS, SPLIT, audit, statuses, verdict, write


def _stretches(tmp_path: Path, test: Sequence[tuple[float, float]]) -> Audit:
    """Two dialogues; training has the stretches from 0 to 1, 2 to 3, …, of other emotions than the test's."""
    train = [f"d{number}.wav,{start},{start + 1},joy,x,train" for number in (1, 2) for start in (0, 2, 4)]
    tested = [f"d{number}.wav,{start},{end},sad,y,test" for number in (1, 2) for start, end in test]
    extra = ["e.wav,0,1,sad,x,train", "f.wav,0,1,joy,y,test"]
    write(tmp_path, {"split.csv": ["path,start_time,end_time,emotion,speaker,split", *train, *tested, *extra]})
    return audit(tmp_path / "split.csv")


def test_stretches_of_one_recording_that_do_not_overlap(tmp_path: Path) -> None:
    found = _stretches(tmp_path, [(1, 2), (3, 4)])
    assert verdict(found, "recordings") == "2 of 4 recordings have stretches on two sides: training and test"
    assert verdict(found, "stretches") == "none of 12 stretches overlaps another on another side"
    assert statuses(found)["labels"] == "ok"  # other stretches may have other emotions


def test_stretches_are_heard_by_themselves(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000 * 6)
    soundfile.write(tmp_path / "dialogue.wav", noise, 16_000)
    rows = [f"dialogue.wav,{start},{start + 1},{EMOTIONS[start % 2]},x,train" for start in (0, 2)]
    rows += [f"dialogue.wav,{start},{start + 1},{EMOTIONS[start % 2]},y,test" for start in (1, 3)]
    table = write(tmp_path, {"split.csv": ["file,start,end,emotion,speaker,split", *rows]}) / "split.csv"
    found = audit_split(read_split([table], data=tmp_path), with_sound=True)
    status_of = statuses(found)
    assert (status_of["recordings"], status_of["stretches"]) == ("leak", "ok")
    assert (status_of["audio"], status_of["sound"], status_of["near-identical sound"]) == ("ok", "ok", "ok")


def test_stretches_that_overlap_are_counted(tmp_path: Path) -> None:
    found = _stretches(tmp_path, [(0.5, 2.5), (3, 4)])
    assert verdict(found, "stretches") == (
        "6 of 12 stretches overlap another on another side: 2 test stretches overlap 4 training stretches"
    )
    assert statuses(found)["labels"] == "ok"


times = st.integers(0, 12)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("ab"), times, st.integers(1, 5), st.sampled_from(SPLIT[::2])), min_size=1))
def test_overlaps_are_those_of_every_pair(drawn: list[tuple[str, int, int, str]]) -> None:
    drawn = [*dict.fromkeys(drawn), ("c", 0, 1, "train"), ("d", 0, 1, "test")]
    rows = [Row(path=file, base=Path(), emotion="joy", side=side) for file, _, _, side in drawn]
    utterances = [
        Utterance(
            id=f"{file}[{start}-{start + length}]",
            path=Path(file),
            speaker="s",
            emotion="joy",
            start_s=start,
            end_s=start + length,
        )
        for file, start, length, _ in drawn
    ]
    expected = {
        (file, start, length)
        for file, start, length, side in drawn
        for other, from_s, for_s, elsewhere in drawn
        if side != elsewhere and file == other and start < from_s + for_s and from_s < start + length
    }
    found = stretches(Split.of("drawn", rows, utterances))
    assert found is not None
    assert (found.status == "leak") == bool(expected)
    assert found.verdict.startswith(f"{len(expected) or 'none'} of ")
