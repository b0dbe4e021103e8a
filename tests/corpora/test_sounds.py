"""One recording has one digest, whatever holds it."""

from pathlib import Path

import soundfile

from ser_tune.corpora import Utterance, sound_digests


def test_a_digest_is_of_the_sound_not_of_the_file(tmp_path: Path, corpus_csv: Path) -> None:
    wav = corpus_csv.with_name("ada_anger_0.wav")
    samples, rate = soundfile.read(wav, dtype="int16")
    soundfile.write(tmp_path / "copy.flac", samples, rate)
    files = [wav, tmp_path / "copy.flac", corpus_csv.with_name("ada_anger_1.wav")]
    first, copy, other = sound_digests([Utterance(one.name, one, "ada", "anger") for one in files])
    assert first == copy
    assert first != other
