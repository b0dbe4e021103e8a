"""Arguments become sound files."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ser_tune.errors import ConfigError
from ser_tune.recordings import find_files


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "b.wav",
        "a.WAV",
        "notes.txt",
        ".hidden.wav",
        "deep/c.flac",
        "deep/er/d.mp3",
        ".cache/e.wav",
        "[x]/f.wav",
    ):
        path = tmp_path / "sounds" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return Path("sounds")


def test_a_folder_is_all_sound_files_below_it_in_order(folder: Path) -> None:
    expected = ["[x]/f.wav", "a.WAV", "b.wav", "deep/c.flac", "deep/er/d.mp3"]
    assert find_files([str(folder)], ()) == [str(folder / name) for name in expected]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("sounds/*.wav", ["sounds/b.wav"]),
        ("sounds/**/*.[fm]*", ["sounds/deep/c.flac", "sounds/deep/er/d.mp3"]),
        ("sounds/deep/**", ["sounds/deep/c.flac", "sounds/deep/er/d.mp3"]),
    ],
)
def test_a_pattern_is_what_it_matches(folder: Path, pattern: str, found: list[str]) -> None:
    assert find_files([pattern], ()) == found


def test_a_name_with_brackets_is_no_pattern_where_there_is_such_a_file(folder: Path) -> None:
    assert find_files(["sounds/[x]/f.wav", "sounds/[x]"], ()) == ["sounds/[x]/f.wav"] * 2


def test_a_file_may_have_any_name_and_need_not_exist(folder: Path) -> None:
    assert find_files(["gone.wav", "sounds/notes.txt"], ()) == ["gone.wav", "sounds/notes.txt"]


def test_standard_input_has_files_and_folders_one_a_line(folder: Path) -> None:
    listed = ["sounds/b.wav\n", "\n", "*.wav\r\n", "sounds/deep/er"]
    assert find_files(["first.wav", "-"], listed) == ["first.wav", "sounds/b.wav", "*.wav", "sounds/deep/er/d.mp3"]


def test_a_sound_on_standard_input_is_refused(folder: Path) -> None:
    listed = io.TextIOWrapper(io.BytesIO(b"RIFF\xff\xfe\x00"), encoding="utf-8")
    with pytest.raises(ConfigError, match="standard input is no text; expected paths, one a line"):
        find_files(["-"], listed)


def test_standard_input_is_not_read_unless_it_is_asked_for(folder: Path) -> None:
    class Terminal:
        def __iter__(self) -> None:
            raise AssertionError("nobody types here")

    assert find_files(["a.wav"], Terminal()) == ["a.wav"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("empty", "the folder 'empty' has no sound files; expected names that end in .aif,"),
        ("sounds/*.ogg", r"'sounds/\*.ogg' matches no file"),
        ("-", "standard input names no file"),
    ],
)
def test_what_has_no_files_is_an_error(folder: Path, path: str, message: str) -> None:
    os.mkdir("empty")  # noqa: PTH102
    with pytest.raises(ConfigError, match=message):
        find_files(["a.wav", path], ["\n"])


def test_ten_thousand_files_are_listed_in_moments(tmp_path: Path, sound: Callable[..., str]) -> None:
    first = Path(sound(tmp_path / "0.wav", 0.1))
    for number in range(1, 10_000):
        os.link(first, tmp_path / f"{number}.wav")
    assert len(find_files([str(tmp_path)], ())) == 10_000
