"""`check` and `extract`: what a corpus holds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Project
from ..corpora import CORPORA, Corpus
from ..corpora.check import CorpusCheck, Problem, check_corpus
from ..errors import ConfigError, CorpusError

if TYPE_CHECKING:
    from ..audit import TextBaseline
    from ..features import SpeakerSegments

__all__ = ["CheckedCorpus", "ExtractedCorpus", "check", "extract"]


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

    emotions: tuple[str, ...]
    """The name of each label."""
    segments: "SpeakerSegments"
    """Speaker to (segments (N, C, F, T), utterance labels, segment labels, segments of each utterance)."""
    licence: str
    """Of the feature set's program, where users should know it."""


def check(
    name: str,
    *,
    data: str | Path | None = None,
    task: str | None = None,
    project: Project | None = None,
    progressed: Callable[[int, int], None] = lambda done, total: None,
) -> CheckedCorpus:
    """Decode every recording of a corpus, and compare its counts with the published ones.

    Args:
        name: The corpus's.
        data: Its folder; for `manifest`, its CSV file.
        task: Which task; None is the corpus's first.
        project: Where things are; None is `Project.locate()`.
        progressed: Is told how many recordings are done, of how many.

    Raises:
        SerTuneError: There is no such corpus, or it cannot be read at all.
    """
    project, folder = project or Project.locate(), None if data is None else Path(data)
    found = check_corpus(CORPORA.get(name), folder, project.cache, task=task, progressed=progressed)
    if not found.texts:
        return CheckedCorpus(found, None)
    from ..audit import text_baseline
    from ..folds import speaker_folds
    from ..study import Protocol  # torch: a corpus without texts does without

    try:
        corpus = Corpus.load(CORPORA.get(name), folder, project.cache, task=found.task)
        baseline = text_baseline(corpus.utterances, speaker_folds(corpus))
    except CorpusError as error:
        missing = Problem("text", False, f"no text-only baseline: {error}")
        return CheckedCorpus(replace(found, problems=(*found.problems, missing)), None)
    warnings = Protocol(facts={} if baseline is None else baseline.facts).warnings
    problems = tuple(Problem("text", False, one) for one in warnings)
    return CheckedCorpus(replace(found, problems=found.problems + problems), baseline)


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
    from ..study import define_study, load_corpus

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
    segments = segments_by_speaker(read, store, config.segments)
    return ExtractedCorpus(emotions=read.emotions, segments=segments, licence=feature_set.licence)
