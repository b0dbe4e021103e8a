"""Who is who: spellings of a name have one key, placeholders name nobody, no corpus has a name in two spellings."""

import csv
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.corpora import CORPORA, Corpus
from ser_tune.corpora.names import alike, is_placeholder, listed_spellings, name_key, nearest_name, spellings
from ser_tune.errors import CorpusError
from ser_tune.folds import may_train
from tests.folding import speaker_folds

QUICK = settings(max_examples=150, deadline=None)
CASES = Path(__file__).parents[3] / "shared" / "cases" / "tables"

# Unicode's compatibility forms of single letters, which fold to themselves
FULL_WIDTH = {chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)} | {" ": "\u3000"}
BLANKS = (" ", "  ", "\u00a0", "\u2009 ", " \u202f", "\t", "\u3000")
UNSEEN = ("\u200b", "\u200d", "\ufeff", "\u00ad", "\u200e", "\x00", "\x07", "\ufe0f")
LETTERS = st.characters(exclude_categories=("Cs", "Cn", "Co"))
Respell = Callable[[str, st.DataObject], str]


def _other_case(name: str, data: st.DataObject) -> str:
    return data.draw(st.sampled_from((name.upper(), name.lower(), name.casefold(), name.title())))


def _other_form(name: str, data: st.DataObject) -> str:
    return unicodedata.normalize(data.draw(st.sampled_from(("NFC", "NFD", "NFKC", "NFKD"))), name)


def _other_width(name: str, data: st.DataObject) -> str:
    return "".join(FULL_WIDTH.get(one, one) if data.draw(st.booleans()) else one for one in name)


def _other_blanks(name: str, data: st.DataObject) -> str:
    inner = "".join(data.draw(st.sampled_from(BLANKS)) if one == " " else one for one in name)
    return data.draw(st.sampled_from(("", *BLANKS))) + inner + data.draw(st.sampled_from(("", *BLANKS)))


def _unseen_inside(name: str, data: st.DataObject) -> str:
    place = data.draw(st.integers(0, len(name)))
    return name[:place] + data.draw(st.sampled_from(UNSEEN)) + name[place:]


RESPELLINGS: list[Respell] = [_other_case, _other_form, _other_width, _other_blanks, _unseen_inside]
PEOPLE = st.sampled_from(
    [
        "anna",
        "Zoë",
        "Jörg Müller",
        "Straße",
        "李娜",
        "مريم",
        "Ωmega",
        "Ивано́в",
        "Łukasz",
        "D'Arcy",
        "naïve",
        "A, B",
        "speaker 7",
    ]
)


@pytest.mark.parametrize("respell", RESPELLINGS)
@QUICK
@given(name=PEOPLE, data=st.data())
def test_names_that_differ_in_a_listed_way_have_one_key(respell: Respell, name: str, data: st.DataObject) -> None:
    other = respell(name, data)
    assert name_key(other) == name_key(name)
    assert nearest_name(other, ["ben", name]) == name
    if other != name:
        assert spellings([name, other, other]) == [dict(sorted({name: 1, other: 2}.items()))]


@pytest.mark.slow
@QUICK
@given(name=PEOPLE, respellings=st.lists(st.sampled_from(RESPELLINGS), min_size=2, max_size=4), data=st.data())
def test_ways_may_be_combined(name: str, respellings: list[Respell], data: st.DataObject) -> None:
    other = name
    for respell in respellings:
        other = respell(other, data)
    assert name_key(other) == name_key(name)


@pytest.mark.slow
@QUICK
@given(
    number=st.integers(0, 10**6),
    zeros=st.integers(0, 5),
    fraction=st.sampled_from(("", ".", ".0", ".000")),
    data=st.data(),
)
def test_a_number_has_one_key_with_zeros_before_it_and_after_its_point(
    number: int, zeros: int, fraction: str, data: st.DataObject
) -> None:
    other = _other_width("0" * zeros + str(number) + fraction, data)
    assert name_key(other) == str(number)
    assert name_key(f"-{other}") == (f"-{number}" if number else "0")
    letters = data.draw(st.sampled_from(("s", "Speaker ", "spk_")))
    assert name_key(f"{letters}{'0' * zeros}{number}") == f"{letters.lower()}{number}"


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(name=st.text(LETTERS, max_size=12))
def test_a_key_is_its_own_key(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)
    assert is_placeholder(name_key(name)) == is_placeholder(name)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(codes=st.lists(st.text("0123456789abcdef", min_size=6, max_size=6), min_size=2, max_size=2, unique=True))
def test_codes_of_one_length_with_one_number_never_have_one_key(codes: list[str]) -> None:
    if all(len(re.findall("[0-9]+", code)) <= 1 for code in codes):
        assert name_key(codes[0]) != name_key(codes[1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("José", "Jose"), ("1.5", "15"), ("1", "-1"), ("10", "1"), ("1e3", "1000"), ("1,000", "1"), ("", "0")),
        *(("anna smith", "annasmith"), ("a.0", "a"), ("s1_02", "s10_2")),
    ],
)
def test_names_that_differ_otherwise_have_two_keys(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)
    assert spellings([one, other]) == []


@QUICK
@given(
    word=st.sampled_from(["S", "spk", "Anna"]),
    number=st.integers(0, 999),
    zeros=st.integers(0, 3),
    between=st.sampled_from(["", "_", "-", " ", ". "]),
    around=st.sampled_from(["{}", "'{}", "[{}]", "{}.", '="{}"', "({})"]),
)
def test_names_of_the_same_words_and_numbers_are_alike_or_one(
    word: str, number: int, zeros: int, between: str, around: str
) -> None:
    name, other = f"{word}{number}", around.format(f"{word}{between}{'0' * zeros}{number}")
    same = name_key(name) == name_key(other)
    assert alike([name, other, "ben"]) == ([] if same else [dict(sorted({name: 1, other: 1}.items()))])
    assert alike([name, other], as_written=[other]) == []
    assert alike([name, f"{word}{number + 1}", f"{word}x{number}", "-1", "1", "1.5", "1-5"]) == []


def test_a_decimal_comma_of_a_spreadsheet_is_no_part_of_a_number() -> None:
    assert {name_key(name) for name in ("1", "01", "1,0", "1,00", "1.0")} == {"1"}


@pytest.mark.parametrize(
    "name",
    [
        *("#REF!", "#VALUE!", "#DIV/0!"),
        *("nan", "NaN", "<NA>", "N/A", "#N/A", "n.a.", "None", "NULL", "Unknown", " unknown ", "(unknown)", "UNK"),
        *("not available", "?", "????", "-", "\u2014", "…", "", "\u200b", "\u00a0"),
    ],
)
def test_a_placeholder_names_nobody(name: str) -> None:
    assert is_placeholder(name)


@pytest.mark.parametrize(
    "name", ["Nancy", "Nana", "Noné", "0", "00", "no", "X", "+", "😀", "李", "unknown 7", "n", "other"]
)
def test_a_name_is_no_placeholder(name: str) -> None:
    assert not is_placeholder(name)


def test_spellings_that_look_alike_are_printed_so_that_they_differ() -> None:
    assert listed_spellings({"Jörg": 2, "Jo\u0308rg": 1}) == "'J\\xf6rg' (2), 'Jo\\u0308rg' (1)"
    assert listed_spellings({"Anna": 2, "anna": 1}) == "'Anna' (2), 'anna' (1)"


# Corpora


def _load(
    folder: Path,
    *rows: tuple[str, ...],
    emotions: Sequence[str] | None = None,
    merge: Mapping[str, str] | None = None,
    names_as_written: Sequence[str] = (),
) -> Corpus:
    """A manifest of rows (speaker, emotion, session), whose recordings are decoded by nobody."""
    table = folder / "corpus.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "speaker", "emotion", "session"][: 1 + len(rows[0])])
        for number, row in enumerate(rows):
            (folder / f"{number:03}.wav").write_text(str(number), encoding="utf-8")
            writer.writerow([f"{number:03}.wav", *row])
    source = CORPORA.get("manifest")
    subset = source.subset(emotions=emotions, merge=merge)
    return Corpus.load(source, table, folder, subset=subset, names_as_written=names_as_written)


EVERYBODY = [(speaker, emotion) for speaker in ("ben", "cleo", "dora") for emotion in ("anger", "joy")]


@pytest.mark.parametrize("what", ["speaker", "emotion", "session"])
@settings(max_examples=15, deadline=None)
@given(name=PEOPLE, respell=st.sampled_from(RESPELLINGS), data=st.data())
def test_no_corpus_has_a_name_in_two_spellings(
    what: str, name: str, respell: Respell, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = respell(name, data).strip().replace("\x00", "\u200b")  # the reader of a CSV strips cells and refuses nulls
    if other == name:
        return
    place = ("speaker", "emotion", "session").index(what)
    rows = [[*row, "s"] for row in EVERYBODY]
    for row, spelt in zip(rows, (name, other), strict=False):
        row[place] = spelt
    folder = tmp_path_factory.mktemp("spelt")
    with pytest.raises(
        CorpusError, match=rf"1 name is spelt in several ways \({what}\): .* \(1\), .* \(1\); write each"
    ):
        _load(folder, *map(tuple, rows))
    distinct = _load(folder, *map(tuple, rows), names_as_written=[other])
    assert distinct.names_as_written == (other,)
    if what == "speaker":
        assert {name, other} <= set(distinct.speakers)


def test_all_spellings_are_listed_with_their_counts_and_a_way_out(tmp_path: Path) -> None:
    rows = [("anna", "joy"), ("Anna", "joy"), ("anna", "JOY"), *EVERYBODY, ("BEN", "anger")]
    with pytest.raises(CorpusError) as caught:
        _load(tmp_path, *rows)
    assert str(caught.value) == (
        f"corpus manifest in {tmp_path}/corpus.csv: 2 names are spelt in several ways (speaker): 'Anna' (1), 'anna' "
        "(2); 'BEN' (1), 'ben' (2); write each in one way, or pass --set 'corpus.names_as_written=[\"Anna\", \"BEN\"]' "
        "to the study where they are truly different; 1 name is spelt in several ways (emotion): 'JOY' (1), 'joy' (5); "
        "write each in one way, merge them (--set 'protocol.merge=[\"JOY=joy\"]'), or pass --set "
        "'corpus.names_as_written=[\"JOY\"]' to the study where they are truly different"
    )
    fixed = _load(tmp_path, *rows, names_as_written=["Anna", "BEN", "never met"], merge={"JOY": "joy"})
    assert fixed.speakers == ("Anna", "BEN", "anna", "ben", "cleo", "dora")
    assert fixed.names_as_written == ("Anna", "BEN")
    assert fixed.emotions == ("anger", "joy")


def test_a_spelling_of_an_emotion_that_is_kept_counts_though_it_is_not_kept_itself(tmp_path: Path) -> None:
    rows = [*EVERYBODY, ("ben", "Joy"), ("ben", "Fear"), ("ben", "fear")]
    with pytest.raises(CorpusError, match=r"\(emotion\): 'Joy' \(1\), 'joy' \(3\); write each"):
        _load(tmp_path, *rows, emotions=["anger", "joy"])
    rows.remove(("ben", "Joy"))
    assert _load(tmp_path, *rows, emotions=["anger", "joy"]).emotions == ("anger", "joy")


def test_a_placeholder_is_no_emotion(tmp_path: Path) -> None:
    rows = [*EVERYBODY, ("ben", "nan"), ("ben", "nan"), ("cleo", "?")]
    with pytest.raises(
        CorpusError, match=r"emotion of some recordings is a placeholder: '\?' \(1\); 'nan' \(2\); leave"
    ):
        _load(tmp_path, *rows)
    assert _load(tmp_path, *rows, emotions=["anger", "joy"]).emotions == ("anger", "joy")
    assert _load(tmp_path, *rows, merge={"nan": "joy", "?": "joy"}).emotions == ("anger", "joy")
    assert "?" in _load(tmp_path, *rows, names_as_written=["?", "nan"]).emotions


# Nobody


NOBODY = st.lists(st.tuples(st.sampled_from(("nan", "????", "n/a")), st.sampled_from(("anger", "joy"))), max_size=4)


@settings(max_examples=30, deadline=None)
@given(unknown=NOBODY, holdout=st.booleans())
def test_nobody_trains_in_every_fold_and_is_held_out_by_none(
    unknown: list[tuple[str, str]], holdout: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    people = [(speaker, emotion) for speaker in "abcd" for emotion in ("anger", "joy")]
    corpus = _load(tmp_path_factory.mktemp("nobody"), *unknown, *people)
    numbers = np.flatnonzero(corpus.nobody)
    assert corpus.speakers == ("a", "b", "c", "d")
    assert [corpus.utterances[one].speaker for one in numbers] == [speaker for speaker, _ in unknown]
    assert set(corpus.speaker_numbers[numbers]) <= {4}
    for fold in speaker_folds(corpus, holdout=("d",) if holdout else ()):
        assert set(numbers) <= set(fold.train)
        assert not set(numbers) & {*fold.validation, *fold.test}
        assert set(fold.validation_speakers) | set(fold.test_speakers) <= {"a", "b", "c", "d"}


def test_nobody_does_not_train_while_the_session_is_held_out(tmp_path: Path) -> None:
    rows = [(f"{session}{who}", emotion, session) for session in "xyz" for who in "FM" for emotion in ("anger", "joy")]
    corpus = _load(tmp_path, *rows, ("unknown", "joy", "x"), ("nan", "joy", "y"))
    assert corpus.speaker_numbers[-2:].tolist() == [6, 7]  # one for each session
    folds = speaker_folds(corpus)
    assert len(folds) == 6
    for fold in folds:
        held_out = {name[0] for name in (*fold.validation_speakers, *fold.test_speakers)}
        for number, session in ((12, "x"), (13, "y")):
            assert (number in fold.train) == (session not in held_out)
            assert number not in {*fold.validation, *fold.test}
    assert may_train(corpus, ("xF", "xM"))[-2:].tolist() == [False, True]


def test_a_placeholder_cannot_be_held_out_and_a_speaker_of_that_name_can(tmp_path: Path) -> None:
    rows = [*EVERYBODY, *(("Nan", emotion) for emotion in ("anger", "joy"))]
    with pytest.raises(CorpusError, match="'Nan' is a placeholder, not a speaker, so it cannot be held out"):
        speaker_folds(_load(tmp_path, *rows), holdout=["Nan"])
    named = _load(tmp_path, *rows, names_as_written=["Nan"])
    assert named.speakers == ("Nan", "ben", "cleo", "dora")
    assert not named.nobody.any()
    assert all("Nan" not in fold.test_speakers for fold in speaker_folds(named, holdout=["Nan"]))


def test_a_speaker_to_hold_out_is_proposed_in_the_corpus_s_spelling(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no speaker 'BEN' to hold out; it has ben, cleo, dora; did you mean 'ben'"):
        speaker_folds(_load(tmp_path, *EVERYBODY), holdout=["BEN"])


def test_where_nobody_is_known_there_are_no_folds(tmp_path: Path) -> None:
    corpus = _load(tmp_path, *((name, emotion) for name in ("nan", "?") for emotion in ("anger", "joy")))
    with pytest.raises(
        CorpusError, match=r"has 0 speaker\(s\) to fold \(\) and 4 utterances whose speaker is not known"
    ):
        speaker_folds(corpus)


# Tables that people had


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("speaker_case", r"4 names are spelt in several ways \(speaker\): 'Anna' \(3\), 'anna' \(3\); 'Ben' \(3\), "),
        (
            "speaker_zero",
            r"2 names are spelt in several ways \(speaker\): '01' \(3\), '1' \(3\); '2' \(3\), '2.0' \(3\);",
        ),
        ("label_case", r"3 names are spelt in several ways \(emotion\): 'ANGER' \(4\), 'anger' \(4\); 'JOY' "),
        ("label_nan", r"the emotion of some recordings is a placeholder: 'nan' \(6\); leave"),
        ("ok", ""),
        ("pleasant", ""),
    ],
)
def test_a_table_of_the_shared_cases_is_read_or_refused(case: str, message: str, tmp_path: Path) -> None:
    if not CASES.is_dir():
        pytest.skip(f"{CASES} is not here")
    if message:
        with pytest.raises(CorpusError, match=message):
            Corpus.load(CORPORA.get("manifest"), CASES / f"{case}.csv", tmp_path)
    else:
        corpus = Corpus.load(CORPORA.get("manifest"), CASES / f"{case}.csv", tmp_path)
        assert (len(corpus.speakers), len(corpus.emotions)) == (4, 3)
