"""Check a corpus on disk: every recording is intact, and the counts are those that its authors published."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..audio import digest_of, read_samples, to_speech
from ..errors import AudioError
from ..likeness import audio_fingerprint, near_groups
from .base import CorpusSource, select_utterances
from .check_names import name_problems, name_warnings
from .selection import Chosen, Need, Subset
from .signal import Fault, signal_faults, unusable_kind
from .sounds import each_decoded
from .utterance import Utterance

__all__ = ["CorpusCheck", "Problem", "check_corpus"]

LISTED = 20
"""Utterances of the same or nearly the same sound that a message names."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about a corpus that its user should know."""

    kind: str
    """`unreadable`, `silent`, `cancelled`, `rate` or `scale` of a recording that a study refuses; that of a `Fault`;
    `duplicate`, `near-identical`, `count`, `few`, `leak`, `name`, `study`, `table` or `text`."""
    wrong: bool
    """Whether it must be mended; otherwise it is a warning."""
    message: str
    utterances: tuple[str, ...] = ()
    """Names of the utterances concerned."""


@dataclass(frozen=True, slots=True)
class CorpusCheck:
    """Facts and problems of a corpus."""

    corpus: str
    subset: str
    expected: Subset
    counts: Mapping[tuple[str, str], int]
    """Number of utterances of each speaker and emotion, unreadable recordings included; the emotion is empty where
    there is no consensus."""
    lengths_s: tuple[float, ...]
    """Length of every recording that can be used, in seconds."""
    sample_rates_hz: Mapping[int, int]
    """Recordings of each rate."""
    channels: Mapping[int, int]
    """Recordings of each number of channels."""
    texts: int
    """Different spoken texts that are known."""
    left_out: int
    """Utterances without the label that the task needs."""
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong; warnings do not count."""
        return not any(problem.wrong for problem in self.problems)

    @property
    def speaker_counts(self) -> Mapping[str, int]:
        """Utterances of each speaker, sorted."""
        return self._totals(0)

    @property
    def emotion_counts(self) -> Mapping[str, int]:
        """Utterances of each emotion, sorted."""
        return self._totals(1)

    def _totals(self, part: int) -> Mapping[str, int]:
        totals: Counter[str] = Counter()
        for labels, count in sorted(self.counts.items(), key=lambda item: item[0][part]):
            totals[labels[part]] += count
        return totals


@dataclass(frozen=True, slots=True)
class _Heard:
    """One recording, after decoding."""

    error: str = ""
    """Why it cannot be used; empty where it can."""
    length_s: float = 0.0
    rate_hz: int = 0
    channels: int = 0
    sound: str = ""
    """SHA-256 of the decoded speech, as a study compares it; empty where it cannot be used."""
    fingerprint: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint32))
    """Audio fingerprint of the decoded speech, shape (T,)."""
    unusable: str = "unreadable"
    """Kind of the error."""
    faults: tuple[Fault, ...] = ()
    """Faults of the signal."""


def check_corpus(
    source: CorpusSource,
    data: Path | None,
    cache: Path,
    *,
    subset: str | None = None,
    needs: Need = "emotion",
    names_as_written: Sequence[str] = (),
    progressed: Callable[[int, int], None] = lambda done, total: None,
) -> CorpusCheck:
    """Decode every recording of a subset, and compare the counts with the published ones.

    Args:
        source: The corpus's reader.
        data: The folder or manifest the user named.
        cache: Where a corpus that makes its own files keeps them.
        subset: One of the source's; None is its first.
        needs: Utterances without this label are left out.
        names_as_written: As `Corpus.load` takes them.
        progressed: Called with the number of decoded recordings and the number of all.

    Raises:
        CorpusError: The corpus cannot be listed: a missing folder, a name off the scheme, an unknown label.
        UnknownNameError: There is no such subset.
    """
    chosen = select_utterances(source, data, cache, subset, needs=needs)
    utterances = chosen.utterances
    subset = subset or next(iter(source.subsets))
    heard = each_decoded(utterances, _hear, progressed)
    usable = [recording for recording in heard if not recording.error]
    counts = Counter((utterance.speaker, utterance.emotion) for utterance in utterances)
    return CorpusCheck(
        corpus=source.name,
        subset=subset,
        expected=source.subsets[subset],
        counts=counts,
        lengths_s=tuple(recording.length_s for recording in usable),
        sample_rates_hz=dict(sorted(Counter(recording.rate_hz for recording in usable).items())),
        channels=dict(sorted(Counter(recording.channels for recording in usable).items())),
        texts=len({utterance.text for utterance in utterances} - {""}),
        left_out=chosen.left_out,
        problems=(
            *(Problem("table", False, remark) for remark in source.remarks(data)),
            *_misnamed(chosen, names_as_written),
            *_miscounted(
                "emotion",
                Counter(utterance.emotion for utterance in utterances if utterance.emotion),
                source.subsets[subset].emotion_counts or dict.fromkeys(source.subsets[subset].all_emotions),
            ),
            *_incomplete(len(utterances), source.subsets[subset].total),
            *_miscounted("speaker", Counter(utterance.speaker for utterance in utterances), _speakers(source, subset)),
            *_unusable(utterances, heard),
            *_duplicates(utterances, heard),
            *_near_duplicates(utterances, heard),
            *_faulty(utterances, heard),
        ),
    )


def _hear(utterance: Utterance) -> _Heard:
    try:
        samples, rate_hz = read_samples(utterance.path, start_s=utterance.start_s, end_s=utterance.end_s)
    except AudioError as error:
        return _Heard(error=str(error))
    error_text = sound = ""
    fingerprint = np.empty(0, np.uint32)
    try:
        speech = to_speech(samples, rate_hz, source=str(utterance.path))
        sound, fingerprint = digest_of(speech), audio_fingerprint(speech)
    except AudioError as error:
        error_text = str(error)
    return _Heard(
        error=error_text,
        length_s=len(samples) / rate_hz,
        rate_hz=rate_hz,
        channels=samples.shape[1],
        sound=sound,
        fingerprint=fingerprint,
        unusable=unusable_kind(samples, rate_hz) if error_text else "",
        faults=() if error_text else tuple(signal_faults(samples, rate_hz)),
    )


def _speakers(source: CorpusSource, subset: str) -> Mapping[str, int | None]:
    return source.subsets[subset].speaker_counts or dict.fromkeys(source.speakers)


def _misnamed(chosen: Chosen, as_written: Sequence[str]) -> Iterable[Problem]:
    wrong = name_problems(chosen.utterances, used=chosen.used or (), as_written=as_written)
    yield from (Problem("name", True, message) for message in wrong)
    yield from (Problem("name", False, message) for message in name_warnings(chosen.utterances, as_written=as_written))


def _miscounted(what: str, found: Mapping[str, int], expected: Mapping[str, int | None]) -> Iterable[Problem]:
    """Names that are missing or too frequent; None is any number."""
    if not expected:
        return
    if missing := sorted(set(expected) - set(found)):
        yield Problem("count", True, f"there is no utterance of {what} {', '.join(missing)}")
    for name, count in sorted(found.items()):
        wanted = expected.get(name, 0)
        if wanted not in (count, None):
            yield Problem("count", True, f"{what} {name} has {count} utterances; {wanted} are published")


def _incomplete(found: int, published: int | None) -> Iterable[Problem]:
    if published not in (found, None):
        yield Problem("count", True, f"the corpus has {found} utterances; {published} are published")


def _unusable(utterances: Sequence[Utterance], heard: Sequence[_Heard]) -> Iterable[Problem]:
    for utterance, recording in zip(utterances, heard, strict=True):
        if recording.error:
            yield Problem(recording.unusable, True, recording.error, (utterance.id,))


def _duplicates(utterances: Sequence[Utterance], heard: Sequence[_Heard]) -> Iterable[Problem]:
    same: dict[str, list[Utterance]] = defaultdict(list)
    for utterance, recording in zip(utterances, heard, strict=True):
        if not recording.error:
            same[recording.sound].append(utterance)
    for twins in same.values():
        if len(twins) > 1:
            listed = _listed(twins)
            yield Problem(
                "duplicate",
                len({(twin.speaker, twin.emotion) for twin in twins}) > 1,
                f"the same sound {len(twins)} times: {listed}",
                tuple(twin.id for twin in twins),
            )


def _near_duplicates(utterances: Sequence[Utterance], heard: Sequence[_Heard]) -> Iterable[Problem]:
    first_of = {
        recording.sound: number for number, recording in reversed(list(enumerate(heard))) if not recording.error
    }
    kept = sorted(first_of.values())
    for group in near_groups([heard[number].fingerprint for number in kept]):
        alike = [utterances[kept[number]] for number in group]
        # Turns of a session may overlap in time
        turns = alike[0].group != "" and len({utterance.group for utterance in alike}) == 1
        yield Problem(
            "near-identical",
            not turns and len({(utterance.speaker, utterance.emotion) for utterance in alike}) > 1,
            f"nearly the same sound {len(alike)} times: {_listed(alike)}",
            tuple(utterance.id for utterance in alike),
        )


def _listed(alike: Sequence[Utterance]) -> str:
    """Names, speakers and emotions of the first utterances."""
    named = ", ".join(f"{own.id} (speaker {own.speaker}, {own.emotion})" for own in alike[:LISTED])
    return f"{named} and {len(alike) - LISTED} more" if len(alike) > LISTED else named


def _faulty(utterances: Sequence[Utterance], heard: Sequence[_Heard]) -> Iterable[Problem]:
    for utterance, recording in zip(utterances, heard, strict=True):
        for fault in recording.faults:
            yield Problem(fault.kind, fault.wrong, f"{utterance.path}: {fault.message}", (utterance.id,))
