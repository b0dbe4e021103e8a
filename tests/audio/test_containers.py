"""Every codec in every container that can be written here: read whole, refused where cut, never a traceback."""

import io
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_tune.audio import decode_pieces, decode_speech, length_s, read_samples, read_speech
from ser_tune.audio.splice import Splice
from ser_tune.errors import AudioError

COUNT = 9000
FFMPEG = shutil.which("ffmpeg")
CASES = Path(__file__).parents[3] / "shared" / "cases" / "audio"
SOUND = 0.3 * np.sin(0.05 * np.arange(COUNT)) + np.random.default_rng(0).normal(0.0, 0.05, COUNT)
"""Samples of 16 kHz."""
WITHOUT_LENGTH = ("PAF", "PVF", "IRCAM", "XI")
"""Containers whose header promises no length."""
ROUNDED = 1e-6
"""Difference that seeking makes in codecs with a memory."""


def _written() -> dict[str, bytes]:
    """Content of a file of each codec in each container, with one or two channels."""
    found = {}
    for container in sorted(set(soundfile.available_formats()) - {"RAW", "SD2"}):  # no header; a file beside it
        for codec in soundfile.available_subtypes(container):
            channels = 2 if len(found) % 2 else 1
            for shape in (channels, 1):
                content = io.BytesIO()
                try:
                    soundfile.write(content, np.stack([SOUND] * shape, axis=1), 16_000, format=container, subtype=codec)
                except (soundfile.LibsndfileError, TypeError, ValueError, OSError):
                    continue  # it cannot be written so
                found[f"{container}-{codec}"] = content.getvalue()
                break
    return found


WRITTEN = _written()


def _converted(tmp_path: Path, arguments: str) -> bytes:
    """What FFmpeg makes of the sound: `-f FORMAT …`, ending in `pipe:1` where it cannot go back to the header."""
    if FFMPEG is None:
        pytest.skip("there is no ffmpeg on this machine")
    path = tmp_path / "converted"
    piped = arguments.endswith("pipe:1")
    command = [FFMPEG, "-loglevel", "error", "-f", "f32le", "-ar", "16000", "-i", "pipe:0", *arguments.split()]
    made = subprocess.run(
        command if piped else [*command, "-y", str(path)],
        input=SOUND.astype("<f4").tobytes(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    if made.returncode:
        pytest.skip(f"this ffmpeg cannot write {arguments}")
    return made.stdout if piped else path.read_bytes()


def _check_whole(path: Path, content: bytes) -> np.ndarray:
    """Read a whole file in every way that there is; all give the same samples."""
    path.write_bytes(content)
    samples, rate = read_samples(path)
    assert length_s(path) * rate == pytest.approx(len(samples))
    np.testing.assert_array_equal(read_speech(path), decode_speech(content, source="row 0"))
    np.testing.assert_array_equal(np.concatenate([piece for piece, _ in decode_pieces(path, piece_s=0.1)]), samples)
    for start, stop in ((1, 700), (len(samples) // 2, len(samples)), (len(samples) - 10, len(samples) - 3)):
        stretch, _ = read_samples(path, start_s=start / rate, end_s=stop / rate)
        np.testing.assert_allclose(stretch, samples[start:stop], atol=ROUNDED, rtol=0)
    return samples


@pytest.mark.parametrize("kind", WRITTEN)
def test_every_codec_in_every_container_is_read_whole_whatever_its_name(kind: str, tmp_path: Path) -> None:
    samples = _check_whole(tmp_path / "sound.raw", WRITTEN[kind])
    assert COUNT <= len(samples) <= COUNT + 5000  # some pad the last block
    if kind.endswith("-PCM_16"):
        np.testing.assert_allclose(samples[:COUNT, 0], SOUND, atol=1e-4)


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_cut_file_is_refused_in_a_sentence_or_promised_no_more(kind: str, tmp_path: Path) -> None:
    content, path = WRITTEN[kind], tmp_path / "cut.wav"
    path.write_bytes(content)
    whole = len(read_samples(path)[0])
    for size in {0, 1, 2, 4, 11, 30, len(content) - 1, *np.random.default_rng(1).integers(5, len(content), 4)}:
        path.write_bytes(content[:size])
        read, refusal = 0, ""
        try:
            read = len(read_samples(path)[0])
        except AudioError as error:
            refusal = str(error)
        assert "\n" not in refusal
        if refusal:
            assert str(path) in refusal
        else:
            assert read >= whole or kind.startswith(WITHOUT_LENGTH), f"{read} of {whole} samples after {size} bytes"


STREAMS = (
    *(
        "-f wav pipe:1",
        "-f aiff pipe:1",
        "-f au pipe:1",
        "-f caf pipe:1",
        "-f w64 pipe:1",
        "-f wav -rf64 always pipe:1",
    ),
    *("-f flac pipe:1", "-f ogg pipe:1", "-f opus pipe:1", "-f wav -c:a adpcm_ima_wav pipe:1", "-f mp3 pipe:1"),
)
FILES = (
    *(
        "-f wav -c:a adpcm_ima_wav",
        "-f wav -c:a adpcm_ms",
        "-f wav -c:a libgsm_ms -ar 8000",
        "-f aiff -c:a adpcm_ima_qt",
    ),
    *("-f wav -c:a mp3", "-f wav -c:a mp2", "-f mp2", "-f mp3", "-f mp3 -write_xing 0", "-f mp3 -q:a 2 -write_xing 0"),
    *("-f mp3 -abr 1 -b:a 40k", "-f mp3 -ar 8000 -write_xing 0", "-f mp3 -ar 44100 -b:a 320k -write_xing 0"),
    *("-f mp3 -write_id3v1 1 -metadata title=A", "-f wav -rf64 always", "-f opus", "-f ogg", "-f flac"),
)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [*STREAMS, *FILES])
def test_what_ffmpeg_writes_is_read_whole(arguments: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    samples = _check_whole(tmp_path / "sound", _converted(tmp_path, arguments))
    _, rate = read_samples(tmp_path / "sound")
    assert COUNT - 1 <= len(samples) * 16_000 / rate <= COUNT + 4000
    assert not capfd.readouterr().err  # nor does a decoder write to the terminal


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ("-f ipod", "an M4A, MP4, 3GP or MOV file"),
        ("-f mov", "an M4A, MP4, 3GP or MOV file"),
        ("-f adts", "an AAC file"),
        ("-f webm", "a WebM file"),
        ("-f matroska", "a Matroska file"),
        ("-f asf", "a WMA, WMV or ASF file"),
        ("-f wv", "a WavPack file"),
        ("-f avi", "an AVI file"),
        ("-f mpegts", "an MPEG transport stream"),
        ("-f ogg -c:a libspeex", "an Ogg file with another codec than Vorbis and Opus"),
        ("-f wav -c:a wmav2", r"a WAV file with the codec WMA \(0x161\)"),
        ("-f wav -c:a adpcm_yamaha", r"a WAV file with the codec Yamaha ADPCM \(0x20\)"),
    ],
)
def test_a_format_that_is_not_decoded_is_named_with_the_remedy(arguments: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(_converted(tmp_path, arguments))
    with pytest.raises(AudioError, match=rf"sound\.wav cannot be decoded as audio: it is {name}.*`ffmpeg -i FILE"):
        read_samples(path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"#!AMR\n" + bytes(99), "it is an AMR file, which libsndfile does not read; convert it"),
        (b"PK\x03\x04" + bytes(99), "it is a ZIP archive$"),
        (b"<html><body>404</body></html>", "it is a page of HTML or XML$"),
        (b"not found", "it is text$"),
        (bytes(range(255)), "Format not recognised; expected a file with a header"),
        (b"RIFF\x04\0\0\0WAVE", "cannot be decoded as audio: "),
    ],
)
def test_what_is_no_sound_file_is_named(content: bytes, sentence: str) -> None:
    with pytest.raises(AudioError, match=rf"^row 0 cannot be decoded as audio: .*{sentence.split('audio: ')[-1]}"):
        decode_speech(content, source="row 0")


def _chunk(name: bytes, content: bytes, *, length: int | None = None, padded: bool = True) -> bytes:
    size = struct.pack("<I", len(content) if length is None else length)
    return name + size + content + bytes(padded and len(content) % 2)


DATA = (SOUND * 2**15).astype("<i2").tobytes()
FORM = _chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16))
ODD_WAVES = {
    "wrong byte rate": [_chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 16_000, 64_000, 2, 16)), _chunk(b"data", DATA)],
    "wrong block": [_chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 4, 16)), _chunk(b"data", DATA)],
    "no length": [FORM, _chunk(b"data", DATA, length=0)],
    "length of a pipe": [FORM, _chunk(b"data", DATA, length=0xFFFF_FFFF)],
    "length of arecord": [FORM, _chunk(b"data", DATA, length=0x8000_0000)],
    "odd chunk": [FORM, _chunk(b"LIST", b"INFOabc"), _chunk(b"data", DATA)],
    "odd chunk without padding": [FORM, _chunk(b"LIST", b"INFOabc", padded=False), _chunk(b"data", DATA)],
    "unknown chunk": [FORM, _chunk(b"xyz1", b"abcd"), _chunk(b"data", DATA)],
    "samples first": [_chunk(b"data", DATA), FORM],
    "cut remarks": [FORM, _chunk(b"data", DATA), _chunk(b"LIST", b"INFO", length=400)],
    "something behind": [FORM, _chunk(b"data", DATA), bytes(77)],
}


@pytest.mark.parametrize("kind", ODD_WAVES)
def test_a_wave_file_with_an_odd_header_around_whole_samples_is_read(kind: str, tmp_path: Path) -> None:
    body = b"WAVE" + b"".join(ODD_WAVES[kind])
    for before in (b"", b"ID3\x03\0\0\0\0\0\x0a" + bytes(10)):
        samples = _check_whole(tmp_path / "odd.wav", before + b"RIFF" + struct.pack("<I", len(body)) + body)
        assert (samples[:, 0] * 2**15).astype("<i2").tobytes() == DATA


def test_streams_that_follow_one_another_are_all_read(tmp_path: Path) -> None:
    for kind in ("OGG-VORBIS", "OGG-OPUS", "FLAC-PCM_16"):
        single = _check_whole(tmp_path / "single", WRITTEN[kind])
        np.testing.assert_array_equal(
            _check_whole(tmp_path / "joined", 2 * WRITTEN[kind]), np.concatenate([single] * 2)
        )
    assert len(_check_whole(tmp_path / "joined", 2 * WRITTEN["MP3-MPEG_LAYER_III"])) >= 2 * COUNT
    other = io.BytesIO()
    soundfile.write(other, SOUND, 8000, format="OGG", subtype="VORBIS")
    (tmp_path / "joined").write_bytes(WRITTEN["OGG-VORBIS"] + other.getvalue())
    with pytest.raises(AudioError, match="joins streams of different rates or channels"):
        read_samples(tmp_path / "joined")


@pytest.mark.parametrize("behind", [b"TAG" + bytes(125), bytes(5000), b"no frame" * 50], ids=["tag", "zeros", "junk"])
def test_what_lies_behind_the_frames_of_an_mp3_is_no_sound(behind: bytes, tmp_path: Path) -> None:
    content = WRITTEN["MP3-MPEG_LAYER_III"]
    whole = _check_whole(tmp_path / "a.mp3", content)
    np.testing.assert_array_equal(_check_whole(tmp_path / "b.mp3", content + behind), whole)


def test_a_stream_of_less_than_a_few_frames_is_cut(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    content = WRITTEN["MP3-MPEG_LAYER_III"]
    for size in (50, 100, 300, 500):
        (tmp_path / "cut").write_bytes(content[:size])
        with pytest.raises(AudioError, match=r"truncated or damaged: it(s header promises| ends within)"):
            read_samples(tmp_path / "cut")
    assert not capfd.readouterr().err


def test_damage_within_frames_or_pages_is_told(tmp_path: Path) -> None:
    for kind in ("MP3-MPEG_LAYER_III", "OGG-VORBIS", "OGG-OPUS", "FLAC-PCM_16"):
        content, middle = WRITTEN[kind], len(WRITTEN[kind]) // 2
        (tmp_path / "damaged").write_bytes(content[:middle] + b"\x55" * 900 + content[middle + 900 :])
        with pytest.raises(AudioError, match="damaged"):
            read_samples(tmp_path / "damaged")


def test_a_splice_reads_as_the_bytes_that_it_joins() -> None:
    content, header = bytes(range(100)), b"header"
    joined = header + content[10:40] + bytes(7)
    splice, rng = Splice(io.BytesIO(content), start=10, stop=40, header=header, zeros=7), np.random.default_rng(0)
    assert splice.seek(0, io.SEEK_END) == len(joined)
    for _ in range(200):
        start, count = rng.integers(0, len(joined) + 3), int(rng.integers(0, 60))
        splice.seek(int(start))
        assert splice.read(count) == joined[start : start + count]


@pytest.mark.skipif(not CASES.is_dir(), reason="the folder of cases is not beside this checkout")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("base.wav", 30_372),
        ("byterate_wrong.wav", 30_372),
        ("dc.wav", 30_372),
        ("ima.wav", 30_615),
        ("lsb.wav", 30_372),
        ("vbr_noxing.mp3", 31_680),
        ("wave_named.raw", 30_372),
        ("int16scale_float.wav", "holds samples of up to 3e\\+04; expected full scale at ±1"),
        ("rate1.wav", "has sample rate 1 Hz; expected 4000 to 384000 Hz"),
        ("stereo_antiphase.wav", "has 2 channels that cancel each other out"),
    ],
)
def test_files_that_people_have(name: str, expected: int | str) -> None:
    if isinstance(expected, str):
        with pytest.raises(AudioError, match=expected):
            read_speech(CASES / name)
    else:
        assert len(read_speech(CASES / name)) == expected
