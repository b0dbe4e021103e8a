"""RAVDESS, CREMA-D, SAVEE, TESS, EMOVO and the like: names are labels, in whatever folders, and copies count once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_tune.audio import read_speech
from ser_tune.corpora import CORPORA, Corpus, Utterance
from ser_tune.errors import CorpusError
from tests.folding import speaker_folds

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write files whose content is their text, below a folder of this test."""

    def _make(*names: str, content: str = "") -> Path:
        for name in names:
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content or name)
        return tmp_path / "data"

    return _make


def _read(corpus: str, folder: Path) -> list[Utterance]:
    return list(CORPORA.get(corpus).read(folder, folder))


def _labels(one: Utterance) -> tuple[str, ...]:
    return one.id, one.speaker, one.emotion, one.style, one.text, one.group


@pytest.mark.parametrize(
    ("corpus", "name", "labels"),
    [
        ("ravdess", "Actor_12/03-01-05-01-02-01-12.wav", ("03-01-05-01-02-01-12", "12", "anger", "speech", "02", "")),
        ("ravdess", "03-02-02-02-01-02-01.WAV", ("03-02-02-02-01-02-01", "01", "calm", "song", "01", "")),
        ("crema_d", "AudioWAV/1001_DFA_ANG_XX.wav", ("1001_DFA_ANG_XX", "1001", "anger", "", "DFA", "")),
        ("crema_d", "1091_IEO_SAD_HI.wav", ("1091_IEO_SAD_HI", "1091", "sadness", "", "IEO", "")),
        ("crema_d", "AudioWAV/1040_ITH_SAD_X.wav", ("1040_ITH_SAD_XX", "1040", "sadness", "", "ITH", "")),
        ("savee", "ALL/DC_a01.wav", ("DC_a01", "DC", "anger", "", "01", "")),
        ("savee", "ALL/DC_sa03.wav", ("DC_sa03", "DC", "sadness", "", "03", "")),
        ("savee", "ALL/DC_a04.wav", ("DC_a04", "DC", "anger", "", "a04", "")),
        ("savee", "AudioData/KL/sa15.wav", ("KL_sa15", "KL", "sadness", "", "sa15", "")),
        ("savee", "je/SU03.wav", ("JE_su03", "JE", "surprise", "", "03", "")),
        ("tess", "OAF_Pleasant_surprise/OAF_back_ps.wav", ("OAF_back_ps", "OAF", "surprise", "", "back", "")),
        ("tess", "yaf_happy/YAF_Youth_happy.WAV", ("YAF_youth_happy", "YAF", "happiness", "", "youth", "")),
        ("tess", "OAF_neutral/OA_bite_neutral.wav", ("OAF_bite_neutral", "OAF", "neutral", "", "bite", "")),
        ("emovo", "EMOVO/f1/gio-f1-b2.wav", ("gio-f1-b2", "f1", "happiness", "", "b2", "")),
        ("aesdd", "fear/f12 (01).wav", ("f12 (01)", "1", "fear", "", "", "")),
        ("aesdd", "sadness/s01 (5)b.wav", ("s01 (5)b", "5", "sadness", "", "", "")),
        ("cafe", "Colère/Fort/01-C-2-3.wav", ("01-C-2-3", "01", "anger", "strong", "3", "")),
        ("cafe", "Neutre/12-N-1-6.aiff", ("12-N-1-6", "12", "neutral", "mild", "6", "")),
        ("esd", "0010/Happy/0010_000702.wav", ("0010_happiness_0010_000702", "0010", "happiness", "mandarin", "", "")),
        ("esd", "0011/Sad/test/0011_1.wav", ("0011_sadness_0011_1", "0011", "sadness", "english", "", "")),
        ("jl_corpus", "female2_excited_10b_2.wav", ("female2_excited_10b_2", "female2", "excitement", "", "", "")),
        ("nemo", "samples/EB0_surprised_9.wav", ("EB0_surprised_9", "EB0", "surprise", "", "9", "")),
        ("urdu", "Happy/SF10_F1_H01.flac", ("SF10_F1_H01", "SF10", "happiness", "", "", "")),
        ("ased", "anger/a5-03-01-02-50.wav", ("a5-03-01-02-50", "50", "anger", "", "a03", "")),
        (
            "emov_db",
            "jenie_Sleepy/sleepiness_1-28_0011.wav",
            ("jenie_sleepiness_sleepiness_1-28_0011", "jenie", "sleepiness", "", "0011", ""),
        ),
        (
            "subesco",
            "F_02_MONIKA_S_1_NEUTRAL_5.wav",
            ("F_02_MONIKA_S_1_NEUTRAL_5", "F_02", "neutral", "", "1", ""),
        ),
        ("shemo", "male/M21N05.wav", ("M21N05", "M21", "neutral", "", "", "")),
        ("mesd", "Anger_C_A_abajo.wav", ("Anger_C_A_abajo", "C", "anger", "", "abajo", "")),
    ],
)
def test_a_name_says_it_all(make: Make, corpus: str, name: str, labels: tuple[str, ...]) -> None:
    folder = make(name, "._hidden.wav", ".hidden/x.wav", f"__MACOSX/{Path(name).parent}/._{Path(name).name}", "a.txt")
    (one,) = _read(corpus, folder)
    assert _labels(one) == labels
    assert one.path == folder / name


@pytest.mark.parametrize(
    ("corpus", "name", "message"),
    [
        ("ravdess", "03-01-05-01-02-01.wav", "'03-01-05-01-02-01' does not follow 03-CC-EE-II-SS-RR-AA"),
        ("ravdess", "01-01-05-01-02-01-12.wav", "03 for sound alone"),
        ("ravdess", "03-03-05-01-02-01-12.wav", "channel 01 or 02"),
        ("ravdess", "03-01-09-01-02-01-12.wav", "emotion 01 to 08"),
        ("ravdess", "03-01-05-01-02-01-25.wav", "actor 01 to 24"),
        ("crema_d", "1001_DFA_ANG.wav", "'1001_DFA_ANG' does not follow SSSS_TTT_EEE_LL"),
        ("crema_d", "1092_DFA_ANG_XX.wav", "speaker 1001 to 1091"),
        ("crema_d", "1001_DFA_JOY_XX.wav", "unknown emotion 'JOY'; expected one of ANG, DIS, FEA, HAP, NEU, SAD"),
        ("savee", "DC/hello.wav", "'hello' does not follow SS_E00 or SS/E00"),
        ("savee", "XY_a01.wav", "unknown speaker 'XY'; expected one of DC, JE, JK, KL"),
        ("savee", "a01.wav", "unknown speaker 'DATA'"),
        ("savee", "DC/x01.wav", "unknown emotion letter 'x'; expected one of a, d, f, h, n, sa, su"),
        ("tess", "back_angry.wav", "'back_angry' does not follow SSS_word_emotion"),
        ("tess", "OAF_back_calm.wav", "unknown emotion 'calm'; expected one of angry, disgust"),
        ("emovo", "joy-f1-b1.wav", "unknown emotion 'joy'; expected one of dis, gio, neu"),
        ("cafe", "1-C-1-1.wav", "'1-C-1-1.wav' does not follow {speaker:"),
        ("esd", "0011_000001.wav", "does not follow {speaker:00"),
    ],
)
def test_a_name_off_the_scheme_is_refused(make: Make, corpus: str, name: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message) as refused:
        _read(corpus, make(name))
    assert str(refused.value).startswith(str(make(name) / name))


TWICE = [
    ("ravdess", "Actor_01/03-01-05-01-02-01-01.wav", "audio_speech_actors_01-24/Actor_01/03-01-05-01-02-01-01.wav"),
    ("crema_d", "AudioWAV/1040_ITH_SAD_XX.wav", "AudioWAV/1040_ITH_SAD_X.wav"),
    ("savee", "ALL/DC_a01.wav", "AudioData/DC/a01.wav"),
    ("tess", "TESS/OAF_Fear/OAF_back_fear.wav", "TESS/TESS/oaf_fear/OAF_back_fear.wav"),
    ("emodb", "wav/03a01Fa.wav", "wav/copy/03a01Fa.wav"),
]


@pytest.mark.parametrize(("corpus", "first", "second"), TWICE)
def test_an_exact_copy_is_counted_once(make: Make, corpus: str, first: str, second: str) -> None:
    assert len(_read(corpus, make(first, second, content="the same"))) == 1


@pytest.mark.parametrize(("corpus", "first", "second"), TWICE)
def test_two_recordings_of_one_name_are_refused(make: Make, corpus: str, first: str, second: str) -> None:
    with pytest.raises(CorpusError, match=f"corpus {corpus}: '.*' and '.*' are both '.*' and differ"):
        _read(corpus, make(first, second))


def test_a_folder_that_cannot_be_read_is_named(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make("OAF_back_fear.wav")

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(CorpusError, match="data' cannot be read: Permission denied"):
        _read("tess", folder)


def test_speech_is_the_default_of_ravdess_and_song_one_option_away(make: Make, tmp_path: Path) -> None:
    folder = make("03-01-05-01-02-01-01.wav", "03-01-03-01-02-01-02.wav", "03-02-03-01-02-01-02.wav")
    source = CORPORA.get("ravdess")
    assert Corpus.load(source, folder, tmp_path).styles == ("speech",)
    assert len(Corpus.load(source, folder, tmp_path, subset="all").utterances) == 3


@pytest.mark.parametrize(
    ("corpus", "subset", "total"),
    [
        ("ravdess", "speech", 1440),
        ("ravdess", "all", 2452),
        ("crema_d", "all", 7442),
        ("savee", "all", 480),
        ("tess", "all", 2800),
        ("emodb", "all", 535),
        ("iemocap", "all", 7532),
        ("aesdd", "all", 604),
        ("cafe", "all", 936),
        ("emovo", "all", 588),
        ("esd", "all", 35_000),
        ("esd", "english", 17_500),
        ("jl_corpus", "all", 2400),
        ("meld", "all", 13_708),
        ("subesco", "all", 7000),
        ("urdu", "all", 400),
    ],
)
def test_known_counts_add_up_to_the_published_total(corpus: str, subset: str, total: int) -> None:
    assert sum(CORPORA.get(corpus).subsets[subset].emotion_counts.values()) == total


def test_the_clips_of_a_television_series_are_those_of_its_tables(make: Make) -> None:
    folder = make(
        "train/train_splits/dia0_utt1.wav", "output_repeated_splits_test/dia0_utt1.FLAC", "train/train_splits/x.mp4"
    )
    table = 'Sr No.,Utterance,Speaker,Emotion,Dialogue_ID,Utterance_ID\n1,"Hi, Joe!",{},{},0,1\n2,Lost,Joey,joy,7,7\n'
    (folder / "train" / "train_sent_emo.csv").write_text(table.format("Joey", "joy"), encoding="utf-8")
    (folder / "test_sent_emo.csv").write_text(table.format("joey ", "surprise"), encoding="utf-8")
    found = _read("meld", folder)
    assert [_labels(utterance) for utterance in found] == [
        ("train_dia0_utt1", "Joey", "happiness", "", "hi joe", ""),
        ("test_dia0_utt1", "Joey", "surprise", "", "hi joe", ""),
    ]
    (folder / "test_sent_emo.csv").write_text(table.format("Joey", "awe"), encoding="utf-8")
    with pytest.raises(CorpusError, match=r"test_sent_emo\.csv, line 2: unknown emotion 'awe'; expected one of anger"):
        _read("meld", folder)


def test_two_speakers_are_read_and_refused_by_the_folds(make: Make, tmp_path: Path) -> None:
    folder = make(*(f"{speaker}_back_{emotion}.wav" for speaker in ("OAF", "YAF") for emotion in ("sad", "happy")))
    corpus = Corpus.load(CORPORA.get("tess"), folder, tmp_path)
    with pytest.raises(CorpusError, match=r"corpus tess has 2 speaker\(s\) to fold"):
        speaker_folds(corpus)


def test_recordings_of_any_rate_channels_and_content_are_read(tmp_path: Path) -> None:
    # RAVDESS has stereo among its 48 kHz mono; files named .wav may hold AIFF.
    sound = np.random.default_rng(0).normal(0.0, 0.1, (9600, 2))
    soundfile.write(tmp_path / "03-01-05-01-02-01-01.wav", sound, 48_000)
    soundfile.write(tmp_path / "03-01-03-01-02-01-01.wav", sound[:, 0], 96_000, format="AIFF")
    assert [len(read_speech(one.path)) for one in _read("ravdess", tmp_path)] == [1600, 3200]
