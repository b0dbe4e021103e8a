"""Tables made from layouts: those of corpora, databases in audformat, data sets of Hugging Face."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import audformat
import datasets
import numpy as np
import pandas as pd
import pyarrow
import pytest
import soundfile

from ser_tune.corpora import CORPORA, Annotation, Utterance
from ser_tune.corpora.audformat_layout import read_audformat
from ser_tune.corpora.huggingface_layout import read_huggingface
from ser_tune.corpora.layouts import Layout, own_layout, table_of
from ser_tune.corpora.made_table import write_table
from ser_tune.errors import CorpusError, UnknownNameError

pytestmark = [
    pytest.mark.filterwarnings("ignore:The inplace keyword"),  # of calls that audformat makes
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.usefixtures("closed_by_datasets"),
]
NAMES = [f"{speaker}_{emotion}.wav" for speaker in "abc" for emotion in ("joy", "sad")]


def _sounds(folder: Path, names: Sequence[str] = NAMES) -> Path:
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        soundfile.write(folder / name, np.random.default_rng(number).normal(0.0, 0.1, size=400), 16_000)
    return folder


def _read(folder: Path, layout: Layout, **settings: Any) -> list[Utterance]:
    """The utterances of the table that is made of a layout."""
    table = folder.with_name("t.csv")
    write_table(table, table_of(layout, folder, table, **settings), overwrite=True)
    return list(CORPORA.get("manifest").read(table, folder))


def _database(folder: Path, *, split: bool = True) -> audformat.Database:
    """Speakers with facts, an emotion for whole files in a table for each side, and arousal of two stretches."""
    files = [f"wav/{name}" for name in NAMES]
    _sounds(folder / "wav")
    database = audformat.Database("mine", languages=["de"])
    for scheme, labels in {
        "emotion": ["joy", "sad"],
        "speaker": {"a": {"gender": "female", "age": 31}, "b": {"gender": "male"}, "c": {"age": 20}},
    }.items():
        database.schemes[scheme] = audformat.Scheme(labels=labels)
    database.schemes["arousal"] = audformat.Scheme("float")
    database["files"] = audformat.Table(audformat.filewise_index(files))
    database["files"]["speaker"] = audformat.Column(scheme_id="speaker")
    database["files"]["speaker"].set([file[4] for file in files])
    for number, side in enumerate(("train", "dev", "test")):
        own = files[2 * number : 2 * number + 2]
        database.splits[side] = audformat.Split(side)
        table = audformat.Table(audformat.filewise_index(own), split_id=side if split else None)
        database[f"emotion.{side}"] = table
        table["emotion"] = audformat.Column(scheme_id="emotion")
        table["emotion"].set([file.removesuffix(".wav").partition("_")[2] for file in own])
    database["parts"] = audformat.Table(audformat.segmented_index(files[:1] * 2, ["0s", "10ms"], ["10ms", pd.NaT]))
    database["parts"]["arousal"] = audformat.Column(scheme_id="arousal")
    database["parts"]["arousal"].set([0.25, 1.0])
    return database


def test_a_database_becomes_a_table_of_its_labels(tmp_path: Path) -> None:
    database = _database(tmp_path / "db")
    database.save(str(tmp_path / "db"))
    layout = read_audformat(tmp_path / "db", {})
    found = _read(tmp_path / "db", layout)
    assert [(own.path.name, own.speaker, own.emotion, own.split, own.language) for own in found[1:]] == [
        (name, name[0], name[2:5], side, "de")
        for name, side in zip(NAMES, ["train"] * 2 + ["validation"] * 2 + ["test"] * 2, strict=True)
    ]
    assert [(own.start_s, own.end_s, own.emotion) for own in found[:2]] == [(0.0, 0.01, "joy"), (0.01, None, "joy")]
    assert [own.annotation.dimensions for own in found[:3]] == [(("arousal", 0.25),), (("arousal", 1.0),), ()]
    assert [dict(own.attributes) for own in found[2::2]] == [
        {"gender": "female", "age": "31"},
        {"gender": "male"},
        {"age": "20"},
    ]
    assert layout.understood["emotion"] == "emotion.dev.emotion, emotion.test.emotion, emotion.train.emotion"


def test_columns_of_a_database_that_differ_have_to_be_named(tmp_path: Path) -> None:
    database = _database(tmp_path / "db", split=False)
    database["raw"] = audformat.Table(audformat.filewise_index([f"wav/{NAMES[0]}"]))
    database["raw"]["emotion"] = audformat.Column(scheme_id="emotion")
    database["raw"]["emotion"].set(["sad"])
    database.save(str(tmp_path / "db"))
    with pytest.raises(
        CorpusError, match=r"'joy' in emotion\.train\.emotion and 'sad' in raw\.emotion; name the column"
    ):
        read_audformat(tmp_path / "db", {})
    (own, *_) = _read(tmp_path / "db", read_audformat(tmp_path / "db", {"emotion": "raw.emotion"}))
    assert own.emotion == "sad"
    with pytest.raises(UnknownNameError, match="unknown column of the database 'gone'; choose from: emotion"):
        read_audformat(tmp_path / "db", {"emotion": "gone"})


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("speaker", r"is called speaker; name it with --column speaker=TABLE.COLUMN, one of e.emotion, e.x"),
        ("emotion", "--column"),
    ],
)
def test_a_database_without_a_needed_column_is_refused(tmp_path: Path, column: str, message: str) -> None:
    database = audformat.Database("mine")
    database["e"] = audformat.Table(audformat.filewise_index(["a.wav"]))
    for name in {"speaker", "emotion", "x"} - {column}:
        database["e"][name] = audformat.Column()
        database["e"][name].set(["a"])
    database.save(str(tmp_path))
    with pytest.raises(CorpusError, match=message):
        read_audformat(tmp_path, {})


def test_a_folder_of_another_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"is no database in audformat; expected a folder with db\.yaml"):
        read_audformat(tmp_path, {})
    (tmp_path / "db.yaml").write_text("name: [")
    with pytest.raises(CorpusError, match=r"db\.yaml' cannot be read: "):
        read_audformat(tmp_path, {})
    with pytest.raises(CorpusError, match="is no data set of Hugging Face: "):
        read_huggingface(tmp_path, {}, tmp_path)
    with pytest.raises(CorpusError, match=r"corpus emodb: no \.wav files in"):
        own_layout(CORPORA.get("emodb"), tmp_path, tmp_path)


def _saved(folder: Path, sides: Mapping[str, Sequence[str]]) -> datasets.DatasetDict:
    """A data set that has its recordings inside, with classes as numbers."""
    classes = datasets.ClassLabel(names=["joy", "sad"])
    features = datasets.Features(
        audio=datasets.Audio(),
        actor=datasets.Value("string"),
        label=classes,
        heard=datasets.List(classes),
        valence=datasets.Value("float32"),
    )

    def _of(names: Sequence[str]) -> datasets.Dataset:
        kind = pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()})
        recordings = [{"bytes": (folder / name).read_bytes(), "path": f"../{name}"} for name in names]
        table = pyarrow.table(
            {
                "audio": pyarrow.array(recordings, kind),
                "actor": [name[0] for name in names],
                "label": [int("sad" in name) for name in names],
                "heard": pyarrow.array([[1, 0]] * len(names), pyarrow.list_(pyarrow.int64())),
                "valence": pyarrow.array([0.5] * len(names), pyarrow.float32()),
            }
        )
        return datasets.Dataset(table, info=datasets.DatasetInfo(features=features))

    datasets.disable_progress_bars()
    return datasets.DatasetDict({side: _of(names) for side, names in sides.items()})


def test_recordings_inside_a_data_set_are_written_beside_the_table(tmp_path: Path) -> None:
    folder, recordings = _sounds(tmp_path / "sound"), tmp_path / "t_recordings"
    sides = {"train": NAMES[:2], "validation": NAMES[2:4], "test": NAMES[4:]}
    saved = _saved(folder, sides)
    saved.save_to_disk(str(tmp_path / "saved"))
    (tmp_path / "rows" / "data").mkdir(parents=True)
    for side, part in saved.items():
        part.to_parquet(str(tmp_path / "rows" / "data" / f"{side}-00000-of-00001.parquet"))
    for place in (tmp_path / "saved", tmp_path / "rows"):
        found = _read(place, read_huggingface(place, {"emotions": "heard"}, recordings))
        assert sorted((own.speaker, own.emotion, own.split) for own in found) == sorted(
            (name[0], name[2:5], side) for side, names in sides.items() for name in names
        )
        assert found[0].annotation == Annotation(emotions=("joy", "sad"), dimensions=(("valence", 0.5),))
        assert all(own.path.read_bytes() == (folder / own.path.name[7:]).read_bytes() for own in found)
    (recordings / "test" / f"000000_{NAMES[4]}").write_bytes(b"other")
    with pytest.raises(CorpusError, match=r"c_joy\.wav' exists with other content; pass --overwrite"):
        read_huggingface(tmp_path / "saved", {}, recordings)
    assert len(read_huggingface(tmp_path / "saved", {}, recordings, overwrite=True).utterances) == len(NAMES)


def test_an_audio_folder_becomes_a_table_of_its_files(tmp_path: Path) -> None:
    folder = _sounds(tmp_path / "folder")
    rows = [f"{name},{name[0]},{name[2:5]},{number}" for number, name in enumerate(NAMES)]
    (folder / "metadata.csv").write_text("\n".join(["file_name,speaker_id,label,age", *rows]))
    layout = read_huggingface(folder, {"meta_age": "age"}, tmp_path / "none")
    found = _read(folder, layout, mapping={"joy": "happiness"})
    assert [(own.path, own.speaker, own.emotion) for own in found] == [
        (folder / name, name[0], "happiness" if "joy" in name else "sad") for name in NAMES
    ]
    assert [own.attributes for own in found] == [(("age", str(number)),) for number in range(len(NAMES))]
    assert not (tmp_path / "none").exists()
    with pytest.raises(
        UnknownNameError, match="unknown column of the data set 'gone'; choose from: age, label, speaker_id"
    ):
        read_huggingface(folder, {"speaker": "gone"}, tmp_path)
    with pytest.raises(
        CorpusError, match="--map names 'fear', which no recording has as its emotion; expected one of joy"
    ):
        table_of(layout, folder, tmp_path / "t.csv", mapping={"fear": ""})


def test_the_table_of_a_corpus_has_what_its_reader_reads(tmp_path: Path) -> None:
    names = [f"03-02-{emotion}-01-02-01-{actor}.wav" for actor in ("01", "02", "03") for emotion in ("03", "04")]
    folder = _sounds(tmp_path / "songs", names)
    source = CORPORA.get("ravdess")
    found = _read(folder, own_layout(source, folder, tmp_path))
    assert [(own.speaker, own.emotion, own.text, own.language) for own in found] == [
        (own.speaker, own.emotion, own.text, own.language) for own in source.read(folder, tmp_path)
    ]
    assert found[0].attributes == (("gender", "male"), ("style", "song"))


def _utterances(folder: Path, sides: Sequence[str], speakers: str = "aabbcc") -> Layout:
    facts = zip(NAMES, speakers, sides, strict=True)
    return Layout([Utterance(name, folder / name, own, name[2:5], split=side) for name, own, side in facts], {})


@pytest.mark.parametrize(
    ("sides", "speakers", "remark"),
    [
        (["train"] * 2 + ["validation"] * 2 + ["test"] * 2, "aabbcc", ""),
        (["train"] * 2 + ["validation"] * 2 + ["test"] * 2, "aabbca", "because 1 speaker is on several of its sides"),
        (["train"] * 4 + ["test"] * 2, "aabbcc", "because it has no validation side"),
        (["train"] * 6, "aabbcc", "because all recordings are on its side train"),
        (["train"] * 5 + [""], "aabbcc", "because it does not have every recording"),
    ],
)
def test_a_split_that_no_study_can_take_is_left_out(
    tmp_path: Path, sides: Sequence[str], speakers: str, remark: str
) -> None:
    folder = _sounds(tmp_path / "mine")
    made = table_of(_utterances(folder, sides, speakers), folder, tmp_path / "t.csv")
    assert ("split" in made.columns) == (not remark)
    assert [*made.remarks] == ([f"the split is left out, {remark}"] if remark else [])


def test_rows_that_no_table_can_have_are_counted(tmp_path: Path) -> None:
    folder = _sounds(tmp_path / "mine")
    whole = _utterances(folder, [""] * 6).utterances
    odd = [
        Utterance("gone", folder / "gone.wav", "a", "joy"),
        Utterance("outside", tmp_path.parent / "x.wav", "a", "joy"),
        Utterance("nothing", folder / NAMES[0], "a", ""),
        Utterance("nobody", folder / NAMES[1], "", "joy\n\u2028 full"),
    ]
    made = table_of(Layout([*whole, *odd], {}), folder, tmp_path / "t.csv", mapping={"sad": ""})
    assert [path.name for path in made.unusable] == ["gone.wav", "x.wav"]
    assert (dict(made.dropped), made.remarks) == ({"sad": 3}, ("recordings without a label, which are left out: 1",))
    assert made.rows[1][1:] == ("unknown", "joy full")
    with pytest.raises(CorpusError, match=r"no recording of '.*' with a label is left; expected at least one"):
        table_of(Layout(odd[:3], {}), folder, tmp_path / "t.csv")
