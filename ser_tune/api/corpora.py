"""`check` and `extract`: what a corpus holds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Project
from ..corpora import CORPORA, Corpus, is_placeholder
from ..corpora.check import CorpusCheck, Problem, check_corpus
from ..corpora.check_names import few_recordings
from ..errors import ConfigError, CorpusError
from ..folds import Fold, Strata, speaker_folds

if TYPE_CHECKING:
    from ..audit import TextBaseline
    from ..features import SpeakerSegments

__all__ = ["CheckedCorpus", "ExtractedCorpus", "check", "extract"]

FEWEST_OF_EMOTION, FEWEST_OF_SPEAKER = 10, 5
"""Recordings below which a check warns: a recall or a score of fewer means little."""


@dataclass(frozen=True, slots=True)
class CheckedCorpus:
    """What is wrong with a corpus on disk."""

    check: CorpusCheck
    """Counts, lengths and problems, those of its texts included."""
    text_baseline: "TextBaseline | None"
    """None where no texts are known, or its speakers cannot be folded."""


@dataclass(frozen=True, slots=True)
class ExtractedCorpus:
    """A corpus's segments, for use elsewhere."""

    answer: str
    """What a label is called, such as `emotion`."""
    names: tuple[str, ...]
    """The name of each label."""
    segments: "SpeakerSegments"
    """Speaker to (segments (N, C, F, T), utterance labels, segment labels, segments of each utterance)."""
    licence: str
    """Of the feature set's program, where users should know it."""

    @property
    def emotions(self) -> tuple[str, ...]:
        """The same as `names`."""
        return self.names


def check(
    name: str,
    *,
    data: str | Path | None = None,
    task: str | None = None,
    names_as_written: Sequence[str] = (),
    project: Project | None = None,
    progressed: Callable[[int, int], None] = lambda done, total: None,
) -> CheckedCorpus:
    """Decode every recording of a corpus, compare its counts with the published ones, and try to draw a study's folds.

    Args:
        name: The corpus's.
        data: Its folder; for `manifest`, its CSV file.
        task: Which task; None is the corpus's first.
        names_as_written: Names that are taken as they are, though they look like a placeholder or a spelling of
            another name: the setting `corpus.names_as_written`.
        project: Where things are; None is `Project.locate()`.
        progressed: Is told how many recordings are done, of how many.

    Raises:
        SerTuneError: There is no such corpus, or it cannot be read at all.
    """
    project, folder = project or Project.locate(), None if data is None else Path(data)
    source, taken = CORPORA.get(name), tuple(names_as_written)
    found = check_corpus(source, folder, project.cache, subset=task, names_as_written=taken, progressed=progressed)
    counts = found.speaker_counts
    speakers = {one: count for one, count in counts.items() if one in taken or not is_placeholder(one)}
    few = [
        *few_recordings("emotion", found.emotion_counts, FEWEST_OF_EMOTION),
        *few_recordings("speaker", speakers, FEWEST_OF_SPEAKER),
    ]
    problems = [Problem("few", False, one) for one in few]
    baseline = None
    if not any(one.kind == "name" and one.wrong for one in found.problems):
        try:
            corpus = Corpus.load(source, folder, project.cache, subset=found.subset, names_as_written=taken)
            folds = speaker_folds(corpus, strata=Strata([one.emotion for one in corpus.utterances], "emotion"))
        except CorpusError as error:
            problems.append(Problem("study", False, f"no study is possible: {error}"))
        else:
            problems += _leaks(corpus, folds)
            if found.texts:
                baseline, warnings = _baseline(corpus, folds)
                problems += warnings
    return CheckedCorpus(replace(found, problems=(*found.problems, *problems)), baseline)


def _leaks(corpus: Corpus, folds: Sequence[Fold]) -> list[Problem]:
    """Recordings that a study refuses, because speakers of two sides are cut from them.

    Whole recordings of equal sound are found before.
    """
    if len(set(corpus.contents)) == len(corpus.contents):
        return []
    from ..protocol import Bond, find_leaks, leaks_in_words  # torch

    leaks = find_leaks(corpus, folds, [Bond.of("are cut from one recording", corpus.contents)])
    return [Problem("leak", True, leaks_in_words(corpus, leaks))] if leaks else []


def _baseline(corpus: Corpus, folds: Sequence[Fold]) -> "tuple[TextBaseline | None, list[Problem]]":
    from ..audit import text_baseline
    from ..protocol import Protocol  # torch: a corpus without texts does without

    baseline = text_baseline(corpus.utterances, folds)
    warnings = Protocol(facts={} if baseline is None else baseline.facts).warnings
    return baseline, [Problem("text", False, one) for one in warnings]


def extract(
    corpus: str = "demo",
    *,
    data: str | Path | None = None,
    features: str = "logmelspec",
    settings: Mapping[str, object] | None = None,
    project: Project | None = None,
    progressed: Callable[[int, int], None] = lambda done, total: None,
) -> ExtractedCorpus:
    """Extract a corpus's features, and cut them into segments for each speaker.

    Args:
        corpus: The corpus.
        data: Its folder.
        features: The feature set.
        settings: Dotted path to value, of features and segments.
        project: Where things are; None is `Project.locate()`.
        progressed: Is told how many utterances are done, of how many.

    Raises:
        SerTuneError: A setting or the corpus is wrong, or there are no segments of equal length.
    """
    from ..features import FEATURE_SETS, corpus_features, refuse_whole_utterances, segments_by_speaker
    from ..protocol import load_corpus
    from ..search import define_study

    # The settings of features and segments are those of any study; the architecture plays no part
    flags = {"model.name": "fcn_attention", "corpus.name": corpus, "corpus.data": data, "features.name": features}
    definition = define_study(flags=flags, settings=settings)
    if copies := definition.config.perturbation.copies:
        raise ConfigError(f"perturbation.copies is {copies}, but an export holds clean speech only; expected 0")
    project = project or Project.locate()
    config = definition.resolved(project.cache).config
    feature_set = FEATURE_SETS.get(config.features.name)
    single_frames = feature_set.hop_s(definition.config.features) is None
    refuse_whole_utterances(config.segments, single_frames=single_frames)
    read = load_corpus(definition, project)
    store = corpus_features(read, feature_set, config.features, project.cache / "features", progress=progressed)
    task = definition.task
    targets = task.targets(definition.config.task, read.utterances)
    return ExtractedCorpus(
        answer=task.answer,
        names=targets.names,
        segments=segments_by_speaker(read, targets.values, store, config.segments),
        licence=feature_set.licence,
    )
