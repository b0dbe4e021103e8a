"""Names of speakers, emotions and sessions: when two spellings are one name, and which names name nobody.

Tables are written by people and by spreadsheets: `anna` and `Anna`, `01` and `1` and `1.0`, a composed and a decomposed
`ü` are one speaker, who would otherwise train and be tested. `nan` and `unknown` are no speaker at all.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from itertools import takewhile

__all__ = ["PLACEHOLDERS", "alike", "is_placeholder", "listed_spellings", "name_key", "nearest_name", "spellings"]

PLACEHOLDERS = frozenset(
    (
        *("n.a", "n/a", "na", "nan", "nat", "nil", "none", "not applicable", "not available", "null", "undefined"),
        *("anonymous", "missing", "no name", "no speaker", "not known", "unassigned", "unidentified", "unk", "unknown"),
        *("unknown speaker", "unlabeled", "unlabelled", "unnamed", "unspecified"),
        *("#calc!", "#div/0!", "#name?", "#null!", "#num!", "#ref!", "#spill!", "#value!"),  # errors of spreadsheets
    )
)
"""Keys of placeholder names, which name no speaker, without the punctuation around them."""
_NUMBER = re.compile(r"([+-]?)0*([0-9]+)(?:\.0*|,0{1,2}|(\.[0-9]*[1-9])0*)?")
_NUMBERED = re.compile(r"([^0-9]*)0*([0-9]+)(?:\.0+)?([^0-9]*)")
_WORDS = re.compile(r"[0-9]+|[^\W\d_]+")
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"))
_QUOTES = str.maketrans(dict.fromkeys("\u2018\u2019\u201b\u02bc", "'"))
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters without a picture, which Unicode counts as letters, marks or symbols."""


@lru_cache(maxsize=2**16)
def name_key(name: str) -> str:
    r"""The key of a name: equal for all spellings of it.

    The key is Unicode's compatibility form (a full-width letter is a usual one, a decomposed umlaut a composed one),
    case folded, without characters that nobody sees (zero-width blanks, marks of direction, control characters), with
    every kind of dash as `-`, of apostrophe as `'` and of digit as `0` to `9`, and with blanks of any kind and number
    as one. Of a name that is a number, zeros before it and the `.0` or `,0` of a spreadsheet are left out; also of the
    number of a name that has a single one, such as `S007`: codes of one length that have no `.0` never collide by it.

    >>> name_key("  Anna\u00a0 Smith "), name_key("01"), name_key("1.0"), name_key("S007"), name_key("-0")
    ('anna smith', '1', '1', 's7', '0')

    `1e3` and `1,000` are no numbers here, and accents count: `Jose` and `José` are two names.
    """
    key = _folded(name)
    while (again := _folded(key)) != key:  # case folding can undo the compatibility form, which can undo it in turn
        key = again
    return key


def _folded(name: str) -> str:
    letters = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    seen = "".join(map(_plain, letters)).translate(_DASHES).translate(_QUOTES)
    words = " ".join(seen.split())
    if number := _NUMBER.fullmatch(words):
        sign, whole, fraction = number[1], number[2], number[3] or ""
        return f"{sign if sign == '-' and (whole.strip('0') or fraction) else ''}{whole}{fraction}"
    if numbered := _NUMBERED.fullmatch(words):
        return f"{numbered[1]}{numbered[2]}{numbered[3]}"
    return words


def _plain(letter: str) -> str:
    """A letter as keys have it: a digit of any script as ours, nothing where it is not seen."""
    category = unicodedata.category(letter)
    if category == "Nd":
        return str(unicodedata.digit(letter))
    if letter.isspace():
        return " "
    unseen = category in ("Cc", "Cf") or letter in _UNSEEN or unicodedata.name(letter, "").startswith("VARIATION SEL")
    return "" if unseen else letter


def is_placeholder(name: str) -> bool:
    """Whether a name names nobody: it is empty, punctuation alone, or one of `PLACEHOLDERS`.

    >>> [is_placeholder(name) for name in ("NaN", "<NA>", "????", "-", " ", "n/a", "Nancy", "0", "+")]
    [True, True, True, True, True, True, False, False, False]

    A person may be called Nan: names that `corpus.names_as_written` lists are taken as they are.
    """
    key = name_key(name)
    if all(unicodedata.category(letter)[0] in "PZ" for letter in key):
        return True
    return key in PLACEHOLDERS or _without_punctuation(key) in PLACEHOLDERS


def spellings(names: Iterable[str], *, as_written: Collection[str] = ()) -> list[dict[str, int]]:
    """Groups of different spellings of one name.

    Args:
        names: As written, each as often as it occurs.
        as_written: Names that are different from all others, whatever their keys.

    Returns:
        For each key that has two spellings or more, the spellings, sorted, and how often each occurs.

    >>> spellings(["anna", "Anna", "ben", "anna"])
    [{'Anna': 1, 'anna': 2}]
    """
    groups: dict[str, dict[str, int]] = {}
    for name, count in sorted(Counter(names).items()):
        if name not in as_written:
            groups.setdefault(name_key(name), {})[name] = count
    return [group for _, group in sorted(groups.items()) if len(group) > 1]


def alike(names: Iterable[str], *, as_written: Collection[str] = ()) -> list[dict[str, int]]:
    """Groups of names with different keys but the same words and numbers: they may be one name, or not.

    Arguments and result are as of `spellings`; each group has one spelling of each key.

    >>> alike(["S_1", "S01", "S-001", "s1_02", "s10_2", "-1", "1", "1.5", "1-5"])
    [{'S-001': 1, 'S01': 1, 'S_1': 1}]
    """
    groups: dict[tuple[str, ...], dict[str, tuple[str, int]]] = {}
    for name, count in sorted(Counter(names).items()):
        if name not in as_written and not _NUMBER.fullmatch(key := name_key(name)):
            words = tuple(word.lstrip("0") or word[:1] for word in _WORDS.findall(key))
            if any(letter.isalpha() for letter in "".join(words)):
                groups.setdefault(words, {}).setdefault(key, (name, count))
    return [dict(group.values()) for _, group in sorted(groups.items()) if len(group) > 1]


def listed_spellings(group: Mapping[str, int]) -> str:
    """List spellings with their counts; escaped by `ascii` if they look alike.

    >>> listed_spellings({"Anna": 1, "anna": 2}), listed_spellings({"a": 1, "a" + chr(160): 1}) == "'a' (1), 'a' (1)"
    ("'Anna' (1), 'anna' (2)", False)
    """
    alike = len({_looks(name) for name in group}) < len(group)
    return ", ".join(f"{ascii(name) if alike else repr(name)} ({count})" for name, count in group.items())


def nearest_name(name: str, names: Iterable[str]) -> str | None:
    """The name of a list that another spelling means; None where there is none.

    >>> nearest_name("ANNA", ["anna", "ben"])
    'anna'
    """
    return next((known for known in names if name_key(known) == name_key(name)), None)


def _without_punctuation(key: str) -> str:
    """The key without punctuation and signs at its ends: `<na>` is `na`."""
    edges = [
        len(list(takewhile(lambda letter: unicodedata.category(letter)[0] in "PSZ", side))) for side in (key, key[::-1])
    ]
    return key[edges[0] : len(key) - edges[1]]


def _looks(name: str) -> str:
    """The visible form of a name: composed, with every blank alike."""
    composed = unicodedata.normalize("NFC", name)
    return "".join(
        " " if letter.isspace() else letter for letter in composed if unicodedata.category(letter) not in ("Cc", "Cf")
    )
