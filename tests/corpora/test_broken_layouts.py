"""Broken databases and data sets are refused in a sentence with their name, or what is whole of them is read."""

from pathlib import Path

import audformat
import numpy as np
import pytest
import soundfile

from ser_tune.corpora.audformat_layout import read_audformat
from ser_tune.corpora.huggingface_layout import read_huggingface
from ser_tune.errors import CorpusError

pytestmark = [
    pytest.mark.filterwarnings("ignore:The inplace keyword"),  # of calls that audformat makes
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.usefixtures("closed_by_datasets"),
]
HEADER = "file_name,speaker,emotion\n"
ROW = "a.wav,1,joy\n"
TABLES = {
    "": "No columns",
    HEADER: "mine",
    f"{HEADER}{ROW}gone.wav,,joy\n": "mine",
    f"{HEADER}../a.wav,1,joy\n": "Invalid metadata file_name",
    "speaker,emotion\n1,joy\n": "file_name",
    "file_name,speaker,arousal\na.wav,1,high\n": "is 'high'; expected a number",
    "file_name,emotion\na.wav,joy\n": "is called speaker",
    "file_name,speaker\na.wav,1\n": "is called emotion",
    "file_name,speaker,speaker\na.wav,1,2\n": "mine",
    'file_name,speaker,emotion\n"a.wav,1,joy\n': "mine",
    f"{HEADER}a.wav,1\n": None,
    "\x00\x00": "mine",
}
"""A table to the part of the sentence that refuses it; None where it is read."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    soundfile.write(folder / "a.wav", np.random.default_rng(0).normal(0.0, 0.1, size=400), 16_000)
    return folder


@pytest.mark.parametrize("table", TABLES)
def test_a_broken_audio_folder_is_refused_in_a_sentence(
    folder: Path, table: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "metadata.csv").write_text(table, encoding="utf-8")
    if (message := TABLES[table]) is None:
        assert [own.speaker for own in read_huggingface(folder, {}, folder).utterances] == ["1"]
        return
    with pytest.raises(CorpusError, match=message) as refused:
        read_huggingface(folder, {}, folder)
    assert "mine" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["train.parquet", "train.arrow", "state.json", "dataset_dict.json"])
def test_a_broken_file_of_a_data_set_is_refused_in_a_sentence(
    folder: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for content in (b"", b"junk", b"{}"):
        (folder / name).write_bytes(content)
        with pytest.raises(CorpusError, match="mine"):
            read_huggingface(folder, {}, folder)
    assert capfd.readouterr() == ("", "")


def _changed(folder: Path, name: str, before: str, after: str) -> None:
    file = folder / name
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("db.yaml", "name:", "[name:"),
        ("db.yaml", "schemes:", "schemas:"),
        ("db.yaml", "dtype: str", "dtype: gone"),
        ("db.yaml", "type: filewise", "type: 3"),
        ("db.t.csv", "file,", "place,"),
        ("db.t.csv", "0.5", "high"),
        ("db.t.csv", "a.wav", "a.wav,1,2,3,4"),
    ],
)
def test_a_broken_database_is_read_or_refused_in_a_sentence(folder: Path, name: str, before: str, after: str) -> None:
    database = audformat.Database("mine")
    for scheme, kind in {"emotion": "str", "speaker": "str", "arousal": "float"}.items():
        database.schemes[scheme] = audformat.Scheme(kind)
    database["t"] = audformat.Table(audformat.filewise_index(["a.wav"]))
    for scheme, value in {"emotion": "joy", "speaker": "1", "arousal": 0.5}.items():
        database["t"][scheme] = audformat.Column(scheme_id=scheme)
        database["t"][scheme].set([value])
    database.save(str(folder), storage_format="csv")
    assert len(read_audformat(folder, {}).utterances) == 1
    _changed(folder, name, before, after)
    for cached in folder.glob("*.pkl"):
        cached.unlink()
    sentence = "mine"
    try:
        found = len(read_audformat(folder, {}).utterances)
    except CorpusError as error:
        found, sentence = 1, str(error)
    assert found == 1
    assert "mine" in sentence
    assert len(sentence.splitlines()) == 1
