"""Columns of labels in a manifest: votes, several emotions, dimensions, and the official split."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.corpora import Corpus, Need, Utterance
from ser_tune.corpora.manifest import CORPUS, read, remarks
from ser_tune.errors import CorpusError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labels")
    for number in range(8):
        (folder / f"{number}.wav").write_text(str(number))
    return folder


def _read(folder: Path, header: str, *rows: str) -> list[Utterance]:
    """The utterances of rows, without their paths and speakers."""
    comma = ";" if ";" in header else ","
    lines = [f"path{comma}speaker{comma}{header}"]
    lines += [f"{number}.wav{comma}{number}{comma}{row}" for number, row in enumerate(rows)]
    table = folder / "corpus.csv"
    table.write_text("\n".join(lines), encoding="utf-8")
    return list(read(table, folder))


def test_votes_are_of_emotions_as_the_header_names_them(folder: Path) -> None:
    first, second, nobody = _read(folder, "votes_joy,Votes_Cold Anger,votes_fear", "3,1,0", "1.0,,2", ",,")
    assert (first.annotation.votes, first.annotation.annotators) == ((("Cold Anger", 1), ("joy", 3)), 4)
    assert (second.annotation.votes, second.annotation.annotators) == ((("fear", 2), ("joy", 1)), 3)
    assert (nobody.annotation.votes, nobody.annotation.annotators, nobody.emotion) == ((), 0, "")


@pytest.mark.parametrize(
    ("header", "row", "dimensions"),
    [
        ("arousal,valence,dominance", "3.5,-2,1e-1", {"arousal": 3.5, "valence": -2.0, "dominance": 0.1}),
        ("EmoAct,EmoVal,EmoDom", "1,2,3", {"arousal": 1.0, "valence": 2.0, "dominance": 3.0}),
        ("Valence;Activation", "3,25;-1,5", {"valence": 3.25, "arousal": -1.5}),
        ("target_warmth,Target-Loud,target_pause_ms", "4,,120", {"warmth": 4.0, "pause_ms": 120.0}),
        ("emotion,valence", ",3", {"valence": 3.0}),
        ("emotion,valence", "joy,", {}),
    ],
)
def test_dimensions_are_numbers_where_they_are_given(
    folder: Path, header: str, row: str, dimensions: Mapping[str, float]
) -> None:
    (utterance,) = _read(folder, header, row)
    assert utterance.annotation.dimensions == tuple(sorted(dimensions.items()))


def test_several_emotions_are_a_set(folder: Path) -> None:
    first, second, unknown = _read(folder, "emotion,emotions", "joy,joy | anger", ",fear", ",")
    assert (first.emotion, first.annotation.emotions) == ("joy", ("anger", "joy"))
    assert (second.emotion, second.annotation.emotions) == ("", ("fear",))
    assert unknown.annotation.emotions == ()


def test_sides_of_a_split_are_spelt_in_usual_ways(folder: Path) -> None:
    rows = {"Train": "train", "dev": "validation", "VALID": "validation", "test": "test", "Test 2": "test2"}
    utterances = _read(folder, "emotion,split", *(f"joy,{side}" for side in rows), ",test_3")
    assert [utterance.split for utterance in utterances] == [*rows.values(), "test3"]
    assert utterances[-1].emotion == ""  # withheld


def test_a_column_of_another_name_is_no_split(folder: Path) -> None:
    # Such tables were read before splits were
    assert [utterance.split for utterance in _read(folder, "emotion,Split_Set", "joy,Train")] == [""]
    assert remarks(folder / "corpus.csv")[0].endswith("column not used: 'Split_Set' (did you mean 'split'?)")


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("votes_joy", "-1", "'votes_joy' is '-1'; expected the number of annotators who chose the emotion, 0 to 10"),
        ("votes_joy", "1.5", "'votes_joy' is '1.5'; expected the number"),
        ("votes_joy", "nan", "'votes_joy' is 'nan'; expected the number"),
        ("votes_joy", "inf", "'votes_joy' is 'inf'; expected the number"),
        ("votes_joy", "1e999", "'votes_joy' is '1e999'; expected the number"),
        (
            "votes_joy",
            "1000001",
            "'votes_joy' is '1000001'; expected the number of annotators .* 0 to 1000000, or an em",
        ),
        ("votes_joy", "1e300", "'votes_joy' is '1e300'; expected the number"),
        ("valence", "-1e200", r"'valence' is '-1e200'; expected a number from -1e\+09 to 1e\+09, or an empty cell"),
        ("votes_joy", "many", "'votes_joy' is 'many'; expected the number"),
        (
            "valence",
            "nan",
            "'valence' is 'nan'; expected a number, or an empty cell; a column of words may be called 'm",
        ),
        ("valence", "-inf", "'valence' is '-inf'; expected a number"),
        (
            "valence",
            "high",
            "'valence' is 'high'; expected a number, or an empty cell; a column of words may be called",
        ),
        ("valence", "1_000", "'valence' is '1_000'; expected a number"),
        ("target_x", '"1,234"', "'target_x' is '1,234'; expected a number"),
        ("emotions", "joy||fear", r"'emotions' is 'joy\|\|fear'; expected names separated by '\|', none of them empty"),
        ("emotions", "joy|", r"'emotions' is 'joy\|'; expected names separated"),
        (
            "emotions",
            "joy|joy",
            r"'emotions' is 'joy\|joy'; expected names separated by '\|', none of them empty or th",
        ),
        (
            "emotion,split",
            "joy,",
            "'split' is ''; expected train, validation, or a test set such as test or test1, in ev",
        ),
        ("emotion,split", "joy,A", "'split' is 'A'; expected train, validation, or a test set"),
        ("emotion,split", ",train", "the cell 'emotion' is empty; expected a value in every row"),
    ],
)
def test_a_wrong_cell_is_named(folder: Path, header: str, row: str, message: str) -> None:
    with pytest.raises(CorpusError, match=f"corpus.csv, line 2: {message}") as told:
        _read(folder, header, row)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            "text",
            r"line 1: the header lacks column\(s\) 'emotion'; expected path,speaker,emotion\[,emotions\]\[,votes_NAM",
        ),
        ("votes_joy,Votes_JOY", r"line 1: the header repeats column\(s\) 'Votes_JOY', 'votes_joy'"),
        ("arousal,target_arousal", "the header has 'arousal' and 'target_arousal'; expected one of them"),
    ],
)
def test_a_wrong_header_is_named(folder: Path, header: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        _read(folder, header, ",".join("1" for _ in header.split(",")))


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1, max_size=4),
    ratings=st.floats(-1e6, 1e6, allow_nan=False),
)
def test_labels_come_back_as_they_were_written(folder: Path, counts: Sequence[Sequence[int]], ratings: float) -> None:
    rows = [f"{','.join(map(str, row))},{ratings!r}" for row in counts]
    for row, utterance in zip(counts, _read(folder, "votes_a,votes_b,votes_c,valence", *rows), strict=True):
        assert dict(utterance.annotation.votes) == {
            name: count for name, count in zip("abc", row, strict=True) if count
        }
        assert utterance.annotation.dimensions == (("valence", ratings),)


def test_a_task_whose_labels_the_table_lacks_is_answered_with_those_that_it_has(folder: Path) -> None:
    _read(folder, "votes_joy,votes_fear,valence", "2,1,3", "1,1,")
    with pytest.raises(
        CorpusError, match="with emotion; it has votes of annotators, ratings of dimensions: choose anot"
    ):
        Corpus.load(CORPUS, folder / "corpus.csv", folder)
    _read(folder, "emotion", "joy", "fear")
    with pytest.raises(CorpusError, match="has no utterance with votes of annotators; it has emotion: choose another"):
        Corpus.load(CORPUS, folder / "corpus.csv", folder, subset="heard")


def test_tasks_get_the_utterances_with_their_labels(folder: Path) -> None:
    rows = ("joy,2,1,joy|fear,3", ",1,1,,", "fear,0,3,,2", "joy,,,joy,")
    _read(folder, "emotion,votes_joy,votes_fear,emotions,valence", *rows)
    needs: dict[str, Need] = {"all": "emotion", "heard": "emotion", "votes": "votes", "several": "emotions"}
    kept = {
        subset: "".join(
            utterance.speaker
            for utterance in Corpus.load(CORPUS, folder / "corpus.csv", folder, subset=subset, needs=need).utterances
        )
        for subset, need in (*needs.items(), ("dimensions", "dimensions"))
    }
    assert kept == {"all": "023", "heard": "02", "votes": "012", "several": "0123", "dimensions": "02"}
