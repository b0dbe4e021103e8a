"""Speakers of recordings whose table names none: from the scheme of a known corpus, or by an expression."""

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from ..errors import ConfigError
from .split import side_named

__all__ = ["Proposal", "by_scheme", "compiled", "proposals", "speaker_in"]

MOST_PROPOSALS = 3
_SCHEMES = (
    re.compile(r"(?P<speaker>\d\d)(?P<text>[ab]\d\d)[WLEAFTN][a-z]?"),  # EmoDB
    re.compile(r"Ses0(?P<session>[1-5])[FM]_(?:impro|script)\w*_(?P<speaker>[FM])\d+"),  # IEMOCAP
    re.compile(r"psno(?P<session>[1-5])_\w+_s\d+_orgn"),  # IEMOCAP as SpeechBrain names it, which drops the speaker
    re.compile(r"(?P<speaker>10\d\d)_(?P<text>[A-Z]{3})_[A-Z]{3}_(?:LO|MD|HI|XX?)"),  # CREMA-D
    re.compile(r"0\d-0\d-0\d-0\d-(?P<text>0\d)-0\d-(?P<speaker>\d\d)"),  # RAVDESS
    re.compile(r"(?P<speaker>DC|JE|JK|KL)_(?:[a-z]+(?P<text>0[1-3])|(?P<own_text>[a-z]+\d\d))"),  # SAVEE
    re.compile(r"(?P<speaker>OA|YA)F?_(?P<text>[A-Za-z]+)_[a-z]+"),  # TESS
)
_WORDS = ("actor", "speaker", "spkr", "spk", "subject", "subj", "participant", "talker")
_LIKELY = (
    *(rf"(?i)({word}[ _-]?\d+)" for word in _WORDS),
    *(rf"(?i){word}[ _-]([^/_.-]+)" for word in _WORDS),
    r"(?:^|/)\d\d(?:-\d\d){5}-(\d\d)\.\w+$",  # RAVDESS
    r"(?:^|/)(\d\d)[ab]\d\d[A-Z][a-z]?\.\w+$",  # EmoDB
    r"(?:^|/)(1\d\d\d)_[^/]*$",  # CREMA-D
    r"(?:^|/)([A-Za-z]{1,3}\d{1,4})[_.-][^/]*$",
    r"(?:^|/)(\d{2,5})[^\d/.][^/]*$",
    r"([^/]+)/[^/]+$",
    r"([^/]+)/[^/]+/[^/]+$",
    r"(?:^|/)([^/_]+)_[^/]*/[^/]+$",
    r"\((\d+)\)[^/]*$",
    r"(?:^|/)([A-Za-z]+)\d[^/]*$",
)
"""Expressions of a speaker in a path, the likeliest first: words for speakers are first."""


def compiled(expression: str) -> re.Pattern[str]:
    """Compile a regular expression that takes the speaker from a path.

    Raises:
        ConfigError: It is not valid, or has no group.
    """
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise ConfigError(f"--speaker-from is '{expression}'; expected a regular expression: {error}") from None
    if not pattern.groups:
        raise ConfigError(
            f"--speaker-from is '{expression}'; expected a group around the speaker, such as '(?P<speaker>\\d+)_'"
        )
    return pattern


def speaker_in(path: str, pattern: re.Pattern[str]) -> str:
    """The group `speaker`, or else the first group, of a pattern in a path with slashes; else empty."""
    found = pattern.search(path)
    return (found["speaker" if "speaker" in pattern.groupindex else 1] or "") if found else ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An expression that may find the speakers."""

    expression: str
    speakers: tuple[str, ...]
    """Its match in each path."""

    def __str__(self) -> str:
        """The option, and the speakers that it finds."""
        names = sorted(set(self.speakers))
        examples = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        return f"--speaker-from {shlex.quote(self.expression)} finds {len(names)} speakers ({examples})"


def by_scheme(path: str) -> tuple[str, str]:
    """Speaker and text by the naming scheme of a known corpus; empty where there is none.

    >>> by_scheme("wav/16b10Wb.wav"), by_scheme("wav/mine.wav")
    (('16', 'b10'), ('', ''))
    """
    stem = _stem(path)
    for scheme in _SCHEMES:
        if name := scheme.fullmatch(stem):
            parts = name.groupdict()
            who = parts.get("session", "") + parts["speaker"] if "speaker" in parts else f"session {parts['session']}"
            return who, parts.get("text") or parts.get("own_text") or ""
    return "", ""


def proposals(paths: Sequence[str], emotions: Sequence[str]) -> list[Proposal]:
    """Find expressions whose group looks like a speaker.

    It is found in every path, has two values or more, each of which occurs in several recordings and, where these have
    emotions, with several emotions, and is no side of the split.

    Args:
        paths: Of the recordings, each once.
        emotions: Of each.

    Returns:
        The likeliest first, each with other groups of recordings.
    """
    found: list[Proposal] = []
    seen = set()
    for expression in (*_LIKELY, *_tokens(paths)):
        pattern = re.compile(expression)
        speakers = tuple(takewhile(bool, (speaker_in(path, pattern) for path in paths)))
        if len(speakers) < len(paths):  # a path without a speaker
            continue
        number_of = {name: number for number, name in enumerate(dict.fromkeys(speakers))}
        groups = tuple(number_of[name] for name in speakers)
        if groups not in seen and _plausible(speakers, emotions):
            seen.add(groups)
            found.append(Proposal(expression, speakers))
    return sorted(found, key=_rank)[:MOST_PROPOSALS]


def _rank(proposal: Proposal) -> int:
    """0 of words for speakers, 1 of names such as `f2` or `0005`, 2 of others, such as names or takes."""
    if any(word in proposal.expression for word in _WORDS):
        return 0
    coded = all(len(name) > 1 and any(letter.isdigit() for letter in name) for name in proposal.speakers)
    return 1 if coded else 2


def _stem(path: str) -> str:
    """The name of a file without its ending."""
    name = path.rpartition("/")[2]
    return name.rpartition(".")[0] or name


def _tokens(paths: Sequence[str]) -> Iterator[str]:
    """Expressions of each part of a file's name, between `_` or `-`."""
    for sign in "_-":
        parts = min(_stem(path).count(sign) + 1 for path in paths)
        token = f"[^/.{sign}]+"
        for number in range(parts if parts > 1 else 0):
            before = f"(?:{token}{sign}){{{number}}}" if number > 1 else f"{token}{sign}" * number
            yield rf"(?:^|/){before}({token})[^/]*$"


def _plausible(speakers: Sequence[str], emotions: Sequence[str]) -> bool:
    """Whether values are spread over recordings as speakers are."""
    counts = Counter(speakers)
    if not 2 <= len(counts) <= len(speakers) / 3 or any(map(side_named, counts)):
        return False
    emotions_of = defaultdict(set)
    for speaker, emotion in zip(speakers, emotions, strict=True):
        emotions_of[speaker].add(emotion)
    several = sum(len(found) > 1 or "" in found for found in emotions_of.values())
    return several >= 0.5 * len(counts) and sum(count > 1 for count in counts.values()) >= 0.8 * len(counts)
