"""One recording has one digest, whatever holds it."""

from pathlib import Path

import soundfile

from ser_tune.corpora import CORPORA, Corpus, Sounds, Utterance, corpus_sounds, read_sounds


def test_a_digest_is_of_the_sound_not_of_the_file(tmp_path: Path, corpus_csv: Path) -> None:
    wav = corpus_csv.with_name("ada_anger_0.wav")
    samples, rate = soundfile.read(wav, dtype="int16")
    soundfile.write(tmp_path / "copy.flac", samples, rate)
    files = [wav, tmp_path / "copy.flac", corpus_csv.with_name("ada_anger_1.wav")]
    first, copy, other = read_sounds([Utterance(one.name, one, "ada", "anger") for one in files]).digests
    assert first == copy
    assert first != other


def test_the_sounds_of_a_corpus_are_decoded_once_and_again_where_the_cache_is_damaged(
    tmp_path: Path, corpus_csv: Path
) -> None:
    corpus = Corpus.load(CORPORA.get("manifest"), corpus_csv, tmp_path)
    decoded: list[int] = []

    def sounds() -> bytes:
        decoded.clear()
        return corpus_sounds(corpus, tmp_path, progressed=lambda done, total: decoded.append(done)).to_bytes()

    first = sounds()
    assert first == read_sounds(corpus.utterances).to_bytes()
    assert decoded == list(range(1, len(corpus.utterances) + 1))
    assert sounds() == first
    assert decoded == []
    (file,) = (tmp_path / "sounds").glob("*.sounds")
    whole, foreign = file.read_bytes(), Sounds((), ()).to_bytes()
    for damaged in (b"", b"[]", whole[:-100], whole[:100] + b"?" + whole[101:], foreign):
        file.write_bytes(damaged)
        assert sounds() == first
        assert decoded
    assert not list((tmp_path / "sounds").glob("*.partial"))
