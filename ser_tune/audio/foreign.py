"""Names of formats that libsndfile does not decode, by their first bytes."""

from .parts import HEAD

__all__ = ["foreign_format", "wave_codec"]

_SOUND = {
    b"OggS": "an Ogg file with another codec than Vorbis and Opus",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "a WMA, WMV or ASF file",
    b"#!AMR": "an AMR file",
    b"\x02#!SILK": "a SILK file",
    b"#!SILK": "a SILK file",
    b"ADIF": "an AAC file",
    b"FLV": "an FLV file",
    b".RMF": "a RealMedia file",
    b".ra\xfd": "a RealAudio file",
    b"MAC ": "a Monkey's Audio file",
    b"wvpk": "a WavPack file",
    b"TTA1": "a TTA file",
    b"MPCK": "a Musepack file",
    b"MP+": "a Musepack file",
    b"DSD ": "a DSD file",
    b"FRM8": "a DSD file",
    b"ajkg": "a Shorten file",
    b"tBaK": "a TAK file",
    b".SoX": "a file of SoX",
    b"XoS.": "a file of SoX",
    b"nut/multimedia": "a NUT file",
    b"\x0b\x77": "an AC-3 file",
    b"\x7f\xfe\x80\x01": "a DTS file",
    b"\x00\x00\x01\xba": "an MPEG program stream",
    b"MThd": "a MIDI file",
}
"""Sound that FFmpeg or the format's own program decodes."""
_OTHER = {
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"\x7fELF": "a program",
    b"SQLite format 3": "a database",
    b"\x93NUMPY": "an array of NumPy",
}
_MPEG_4 = {b"ftyp", b"moov", b"mdat", b"wide", b"moof", b"styp"}


def foreign_format(head: bytes) -> tuple[str, bool] | None:
    """Name a format that libsndfile does not decode.

    Args:
        head: Its first bytes, 64 kB at most.

    Returns:
        What it is, and whether that is sound; None where it is nothing known.

    >>> foreign_format(bytes(4) + b"ftypM4A ")
    ('an M4A, MP4, 3GP or MOV file', True)
    """
    head = head[:HEAD]
    if head[4:8] in _MPEG_4:
        return "an M4A, MP4, 3GP or MOV file", True
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return ("a WebM file" if b"webm" in head[:64] else "a Matroska file"), True
    if head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"QLCM"):
        return f"{'an AVI' if head[8:12] == b'AVI ' else 'a QCP'} file", True
    first, second = head[:2] if len(head) > 1 else (0, 0)
    if (first, second & 0xF6) == (0xFF, 0xF0) or (first, second & 0xE0) == (0x56, 0xE0):
        return "an AAC file", True
    if len(head) > 188 and head[0] == head[188] == 0x47:
        return "an MPEG transport stream", True
    for magic, name in _SOUND.items():
        if head.startswith(magic):
            return name, True
    for magic, name in _OTHER.items():
        if head.startswith(magic):
            return name, False
    start = head[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<")):
        return "a page of HTML or XML", False
    if start and all(32 <= byte < 127 or byte in b"\t\r\n" for byte in start):
        return "text", False
    return None


_CODECS = {
    0x20: "Yamaha ADPCM",
    0x22: "TrueSpeech",
    0x42: "G.723.1",
    0x45: "G.726",
    0x64: "G.726",
    0x83: "G.729",
    0xFF: "AAC",
    0x160: "WMA",
    0x161: "WMA",
    0x162: "WMA",
    0x270: "ATRAC",
    0x1610: "AAC",
    0x2000: "AC-3",
    0x566F: "Vorbis",
    0xA109: "Speex",
    0xF1AC: "FLAC",
}
"""Codecs of WAV that libsndfile lacks."""
_DECODED = frozenset({1, 2, 3, 6, 7, 0x11, 0x31, 0x38, 0x40, 0x50, 0x55, 0xFFFE})
"""Codecs of WAV that it has, or that are decoded without it."""


def wave_codec(head: bytes) -> str | None:
    """Name the codec of a WAV file that libsndfile lacks; None where it has it, or the file is no WAV.

    >>> wave_codec(b"RIFF....WAVEfmt ...." + bytes([0x61, 0x01]))
    'a WAV file with the codec WMA (0x161)'
    """
    at = head.find(b"fmt ")
    if head[8:12] != b"WAVE" or not 0 <= at < len(head) - 9:
        return None
    codec = int.from_bytes(head[at + 8 : at + 10], "little")
    if codec in _DECODED:
        return None
    name = f"{_CODECS[codec]} (0x{codec:x})" if codec in _CODECS else f"0x{codec:x}"
    return f"a WAV file with the codec {name}"
