"""Tables made from the names of files: patterns are exact, or say which names they cannot read."""

import tempfile
from pathlib import Path, PurePath

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from ser_tune.corpora import CORPORA
from ser_tune.corpora.made_table import write_table
from ser_tune.corpora.making import make_table
from ser_tune.corpora.name_pattern import NamePattern
from ser_tune.errors import CorpusError

TEXT = st.text("ab_-. ü1", min_size=1, max_size=6)


@given(st.sampled_from("_-."), st.lists(TEXT, min_size=3, max_size=3))
def test_a_name_is_read_as_it_was_written_or_is_ambiguous(sign: str, values: list[str]) -> None:
    fields = ("speaker", "emotion", "n")
    pattern = NamePattern(sign.join(f"{{{name}}}" for name in fields) + ".wav")
    path = PurePath("folder", sign.join(values) + ".wav")
    found = pattern.parse(path)
    if not any(sign in value for value in values):
        assert found == dict(zip(fields, values, strict=True))
    assert pattern.is_ambiguous(path) == (found is None)


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        ("{speaker}_{emotion}_{n}.wav", "a/Anna_joy_1.WAV", {"speaker": "Anna", "emotion": "joy", "n": "1"}),
        ("{speaker}_{emotion}_{n}", "Anna_joy_1.flac", {"speaker": "Anna", "emotion": "joy", "n": "1"}),
        ("{emotion}/{speaker}-*.wav", "x/joy/03-b-c.wav", None),
        ("{emotion}/{speaker:\\d+}-*.wav", "x/joy/03-b-c.wav", {"emotion": "joy", "speaker": "03"}),
        ("{emotion}\\{speaker}.wav", "joy/03.wav", {"emotion": "joy", "speaker": "03"}),
        ("{speaker:[a-z]{2}}{emotion}.wav", "abjoy.wav", {"speaker": "ab", "emotion": "joy"}),
        ("{emotion}/{speaker}.wav", "03.wav", None),
        ("{speaker}.{emotion}.wav", "a+b.joy.wav", {"speaker": "a+b", "emotion": "joy"}),
    ],
)
def test_a_pattern_describes_the_last_parts_of_a_path(pattern: str, path: str, found: dict[str, str] | None) -> None:
    assert NamePattern(pattern).parse(PurePath(path)) == found


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{speaker}_{emotion", "has an open '{'; expected '}' after the field's name"),
        ("{speaker}_{}", "has the field '{}'; expected a name such as {speaker}, or * for text that is not read"),
        ("{emotion}_{emotion}", "has the field 'emotion' twice; expected each once"),
        ("{speaker:(}_{emotion}", "has a wrong regular expression: "),
    ],
)
def test_a_wrong_pattern_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(CorpusError) as refused:
        NamePattern(pattern)
    assert str(refused.value).startswith(f"pattern '{pattern}' {message}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three speakers with two emotions, and files that no pattern fits."""
    names = [f"{speaker}_{code}_{n}.wav" for speaker in ("anna", "ben", "ü c") for code in "WN" for n in (1, 2)]
    for number, name in enumerate([*names, "jan_piet_W_1.wav", "deep/noise.flac"]):
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.random.default_rng(number).normal(0.0, 0.1, size=400), 16_000)
    (tmp_path / "mine" / "notes.txt").touch()
    (tmp_path / "mine" / "._anna_W_3.wav").touch()
    return tmp_path / "mine"


def test_a_table_has_what_the_pattern_names_and_is_a_corpus(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    made = make_table(folder, "{speaker}_{emotion}_{meta_take:[0-9]}.wav", table, mapping={"W": "anger"})
    assert made.columns == ("path", "speaker", "emotion", "meta_take")
    assert made.rows[0] == ("mine/anna_N_1.wav", "anna", "N", "1")
    assert [path.name for path in made.unlike] == ["noise.flac"]
    assert [path.name for path in made.ambiguous] == ["jan_piet_W_1.wav"]
    assert (made.unread, dict(made.others), dict(made.dropped)) == ((), {".txt": 1}, {})
    write_table(table, made)
    found = CORPORA.get("manifest").read(table, tmp_path)
    assert [(own.speaker, own.emotion, own.attributes) for own in found[-2:]] == [
        ("ü c", "anger", (("take", "1"),)),
        ("ü c", "anger", (("take", "2"),)),
    ]
    assert all(own.path.is_file() for own in found)


def test_an_emotion_that_is_mapped_to_nothing_is_left_out_and_counted(folder: Path) -> None:
    made = make_table(folder, "{speaker}_{emotion}_{n:[0-9]}.wav", folder / "t.csv", mapping={"N": ""})
    assert {row[2] for row in made.rows} == {"W"}
    assert dict(made.dropped) == {"N": 6}
    assert made.unread == ("n",)


def test_another_table_is_replaced_only_if_told(folder: Path) -> None:
    table = folder / "t.csv"
    made = make_table(folder, "{speaker}_{emotion}_{n}.wav", table)
    write_table(table, made)
    write_table(table, made)
    table.write_text("the user's own")
    with pytest.raises(CorpusError, match=r"t\.csv' exists with other content; pass --overwrite to replace it"):
        write_table(table, made)
    write_table(table, made, overwrite=True)
    assert table.read_text(encoding="utf-8") == made.text


@pytest.mark.parametrize(
    ("pattern", "mapping", "message"),
    [
        ("{emotion}.wav", {}, "lacks {speaker}; expected such as {speaker}_{emotion}_"),
        (
            "{speaker}+{emotion}.wav",
            {},
            "describes none of 14 recordings in",
        ),
        ("{speaker}_{emotion}.wav", {}, "can be read in several ways in all of the 13 names that it describes"),
        (
            "{speaker}_{emotion}_{n}.wav",
            {"X": "joy"},
            "--map names 'X', which no file name has",
        ),
    ],
)
def test_a_pattern_that_does_not_fit_is_refused(
    folder: Path, pattern: str, mapping: dict[str, str], message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        make_table(folder, pattern, folder / "t.csv", mapping=mapping)


def test_a_table_lies_above_its_recordings(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="or above it; expected a table that is, such as "):
        make_table(folder, "{speaker}_{emotion}_{n}.wav", tmp_path / "else" / "t.csv")
    with pytest.raises(CorpusError, match=r"nowhere' is not a folder; expected the folder of the recordings"):
        make_table(tmp_path / "nowhere", "{speaker}_{emotion}.wav", tmp_path / "t.csv")


HOSTILE = st.text("ab =@+-\"',;|\\\t\n\r\x1b\x85\u2028\u200büü\udce9%", min_size=1, max_size=6)


@given(st.lists(st.tuples(HOSTILE, HOSTILE), min_size=1, max_size=4, unique=True))
def test_every_table_that_is_made_is_a_corpus_of_the_names(names: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder, table = Path(place, "mine"), Path(place, "mine.csv")
        folder.mkdir()
        for speaker, emotion in [("anna", "joy"), *names]:
            (folder / f"{speaker}_{emotion}.wav").touch()
        made = make_table(folder, "{speaker}_{emotion}", table)
        write_table(table, made)
        found = CORPORA.get("manifest").read(table, folder)
        assert [(own.speaker, own.emotion) for own in found] == [row[1:] for row in made.rows]
        assert [own.path for own in found] == [table.parent / row[0] for row in made.rows]
        left = {*made.unlike, *made.ambiguous, *made.unusable}
        assert len(left) + len(found) == len(list(folder.iterdir()))


def test_links_to_no_file_are_left_out(folder: Path) -> None:
    (folder / "dora_W_1.wav").symlink_to("nowhere.wav")
    made = make_table(folder, "{speaker}_{emotion}_{n:[0-9]}.wav", folder / "t.csv")
    assert [path.name for path in made.unusable] == ["dora_W_1.wav"]


@pytest.mark.parametrize(
    ("name", "mapping", "message"),
    [
        ("anna_W_1.WAV", {}, r"anna_W_1\.WAV' is called like a recording; expected a table, such as .*mine\.csv$"),
        ("t.csv", {"W": "", "N": ""}, "--map leaves all recordings out"),
        ("deep/../../../t/t.csv", {}, "or above it; expected a table that is, such as "),
    ],
)
def test_tables_that_no_corpus_could_be_are_refused(
    folder: Path, name: str, mapping: dict[str, str], message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        make_table(folder, "{speaker}_{emotion}_{n:[0-9]}.wav", folder / name, mapping=mapping)
