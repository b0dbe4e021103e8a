"""`corpora`, `download`, `check`, `extract` and `audit`: corpora, and the splits of other programs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from .. import audit as audits
from .. import protocol, search
from ..errors import ConfigError, CorpusError, LeakError
from .arguments import Argument, Data, Settings, located, path_or_none
from .configuration import corpus_settings

if TYPE_CHECKING:
    from ..audit import Agreement, Audit, SoundlessScore
    from ..corpora import Corpus, CorpusSource
    from ..corpora.check import CorpusCheck, Problem
    from ..corpora.selection import Need
    from ..corpora.sides import Side
    from ..definition import StudyDefinition
    from ..features import SpeakerSegments
    from ..folds import Fold
    from ..project import Project

__all__ = ["CheckedCorpus", "ExtractedCorpus", "audit", "check", "corpora", "download", "extract"]

CorpusName = Annotated[str, Argument(metavar="CORPUS", completes="corpora")]
FEWEST_OF_EMOTION, FEWEST_OF_SPEAKER = 10, 5
"""Recordings below which a check warns: a recall or a score of fewer means little."""


@dataclass(frozen=True, slots=True)
class CheckedCorpus:
    """The problems of a corpus on disk."""

    check: "CorpusCheck"
    """Counts, lengths and problems, those of its texts included."""
    text_baseline: "SoundlessScore | None" = None
    """None where no texts are known, or its speakers cannot be folded."""
    speaker_baseline: "SoundlessScore | None" = None
    """None where its speakers cannot be folded."""
    agreement: "Agreement | None" = None
    """Agreement of the annotators on the utterances that the task has; None where the corpus cannot be loaded."""
    sides: "Sequence[Side]" = ()
    """Sides of the official split, those with withheld labels included; empty where there is none."""


@dataclass(frozen=True, slots=True)
class ExtractedCorpus:
    """A corpus's segments, for use elsewhere."""

    answer: str
    """The word for a label, such as `emotion`."""
    names: tuple[str, ...]
    """The name of each label."""
    segments: "SpeakerSegments"
    """Speaker to (segments (N, C, F, T), utterance labels, segment labels, segments of each utterance)."""
    licence: str
    """Licence of the feature set's program, where it restricts use."""

    @property
    def emotions(self) -> tuple[str, ...]:
        """The same as `names`."""
        return self.names


def corpora() -> "Sequence[CorpusSource]":
    """List the corpora: tasks, published numbers of utterances, speakers and emotions, licence, citation."""
    from ..corpora import CORPORA

    return [CORPORA.get(name) for name in CORPORA.names()]


def download(
    name: CorpusName,
    *,
    data: Data = None,
    project: "Project | None" = None,
    progressed: Callable[[int, int | None], None] = lambda done, total: None,
) -> tuple[Path, bool]:
    """Download a corpus that anybody may download, check it, and unpack it into a folder.

    After Ctrl-C or a broken connection the same command continues.

    Args:
        name: A corpus of `ser-tune corpus list`.
        data: Folder to make; default: .cache/CORPUS.
        project: Where things are; None is `Project.locate()`.
        progressed: Receives how many bytes are downloaded, of how many.

    Returns:
        The folder, and whether it was downloaded; not so where it was complete before.

    Raises:
        SerTuneError: There is no such corpus, it cannot be downloaded, or its content is not the published one.
    """
    from ..corpora import CORPORA
    from ..corpora.download import download_corpus

    source, cache = CORPORA.get(name), located(project).cache
    folder = path_or_none(data) or cache / name
    return folder, download_corpus(source, folder, cache, progressed=progressed)


def check(
    *names: CorpusName,
    data: Data = None,
    task: str | None = None,
    table: Annotated[str | None, Argument(option="--mapping")] = None,
    names_as_written: Annotated[Sequence[str], Argument(option="--as-written", metavar="NAME")] = (),
    project: "Project | None" = None,
    progressed: Callable[[int, int], None] = lambda done, total: None,
) -> CheckedCorpus:
    """Decode all recordings of a corpus, compare its counts with published ones, and try to draw a study's folds.

    Several corpora are checked as the union that a study trains on: the same sound may be in two of them.

    Shows the sides of an official split, how far annotators agree, where their votes or ratings are known, and what
    text or speaker alone predict.
    Ends with 1 where something is wrong: a recording that is unreadable, silent, constant, a single click, read with
    wrong bytes, or at a rate outside 4 to 384 kHz; channels that cancel out; one sound under two labels or speakers; a
    name in two spellings; an emotion called unknown; other counts than published. Recordings that are quiet, clipped,
    off centre, beyond full scale or shorter than 0.1 s, other duplicates, texts that tell the emotion, few recordings
    of an emotion or a speaker, and a corpus on which no study is possible are warnings.

    Args:
        names: A corpus of `ser-tune corpus list`, as NAME[:TASK][=DATA]; several are a union.
        data: The corpus's folder; for manifest, its CSV file.
        task: Which task; default: the corpus's first.
        table: The table that maps the emotions of several corpora to classes, as of studies.
        names_as_written: A name that is a speaker's or an emotion's own, though it looks like a placeholder or another
            name's spelling; repeatable. Studies have the setting corpus.names_as_written.
        project: Where things are; None is `Project.locate()`.
        progressed: Receives how many recordings are decoded, of how many.

    Raises:
        SerTuneError: There is no such corpus, or it cannot be read at all.
    """
    from ..corpora import CORPORA, union_source
    from ..corpora.check import check_corpus
    from ..corpora.sides import sides_of

    project, taken = located(project), tuple(names_as_written)
    # The settings of the corpus and the task are those of any study; the architecture plays no part
    written = corpus_settings(names, data=data, task=task, mapping=table).model_dump()
    flags = {f"corpus.{name}": value or None for name, value in written.items()}
    definition = search.define_study(flags=flags | {"model.name": "fcn_attention", "corpus.names_as_written": taken})
    settings = definition.config.corpus
    sources, folder = [CORPORA.get(part.name) for part in settings.parts], settings.data
    source = union_source(settings, sources, project.cache).source if settings.union else sources[0]
    found = check_corpus(
        source,
        folder,
        project.cache,
        subset=settings.task,
        needs=definition.task.needs,
        names_as_written=taken,
        progressed=progressed,
    )
    few = _rare(found, definition.task.needs, taken)
    checked = CheckedCorpus(_with(found, few), sides=sides_of(source.read(folder, project.cache), taken))
    if any(problem.kind == "name" and problem.wrong for problem in found.problems):
        return checked
    return _as_studied(checked, definition, project)


def _as_studied(checked: CheckedCorpus, definition: "StudyDefinition", project: "Project") -> CheckedCorpus:
    """Load the corpus and draw the folds as a study does."""
    from ..corpora.check import Problem
    from ..definition import strata_of, targets_of

    try:
        corpus = protocol.load_corpus(definition, project)
        checked = replace(checked, agreement=audits.agreement_of(corpus.utterances))
        targets, task = targets_of(definition, corpus), definition.task
        folds = protocol.draw_folds(definition, corpus, strata_of(definition, targets))
    except LeakError as error:
        return replace(checked, check=_with(checked.check, [Problem("leak", True, str(error))]))
    except CorpusError as error:
        return replace(checked, check=_with(checked.check, [Problem("study", False, f"no study is possible: {error}")]))
    text = audits.text_baseline(corpus.utterances, folds, targets, task=task)
    facts = protocol.Protocol(facts={} if text is None else text.facts)
    problems = [
        *_leaks(corpus, folds, definition.config.protocol.holdout),
        *(Problem("text", False, warning) for warning in facts.warnings),
    ]
    return replace(
        checked,
        check=_with(checked.check, problems),
        text_baseline=text,
        speaker_baseline=audits.speaker_baseline(corpus.utterances, folds, targets, task=task),
    )


def _rare(found: "CorpusCheck", needs: "Need", names_as_written: Sequence[str]) -> "list[Problem]":
    """Warnings of emotions and speakers with few recordings; where labels are numbers, of speakers alone."""
    from ..corpora import is_placeholder
    from ..corpora.check import Problem
    from ..corpora.check_names import few_recordings
    from ..corpora.selection import NAMED

    speakers = {
        name: count
        for name, count in found.speaker_counts.items()
        if name in names_as_written or not is_placeholder(name)
    }
    emotions = {name: count for name, count in found.emotion_counts.items() if name and needs in NAMED}
    few = [
        *few_recordings("emotion", emotions, FEWEST_OF_EMOTION),
        *few_recordings("speaker", speakers, FEWEST_OF_SPEAKER),
    ]
    return [Problem("few", False, message) for message in few]


def _with(found: "CorpusCheck", problems: "Sequence[Problem]") -> "CorpusCheck":
    """The check with further problems."""
    return replace(found, problems=(*found.problems, *problems))


def _leaks(corpus: "Corpus", folds: "Sequence[Fold]", holdout: "Sequence[str]") -> "list[Problem]":
    """Recordings that a study refuses, because speakers of two sides are cut from them.

    Whole recordings of equal sound are found before.
    """
    if len(set(corpus.contents)) == len(corpus.contents):
        return []
    from ..corpora.check import Problem

    bond = protocol.Bond.of("are cut from one recording", corpus.contents)
    leaks = protocol.find_leaks(corpus, folds, [bond], holdout=holdout)
    return [Problem("leak", True, protocol.leaks_in_words(corpus, leaks))] if leaks else []


def extract(
    corpus: Annotated[str, Argument(option="--corpus", completes="corpora")] = "demo",
    *,
    data: Data = None,
    features: str = "logmelspec",
    settings: Settings = None,
    project: "Project | None" = None,
    progressed: Callable[[int, int], None] = lambda done, total: None,
) -> ExtractedCorpus:
    """Export a corpus's segments, for each speaker, for use elsewhere.

    A dictionary of speaker to (segments (N, C, F, T), utterance labels, segment labels, segments per utterance).

    Args:
        corpus: Corpus, of `ser-tune corpus list`.
        data: The corpus's folder; for manifest, its CSV file.
        features: Feature set.
        settings: Fix any setting of features and segments, of `ser-tune options`; repeatable.
        project: Where things are; None is `Project.locate()`.
        progressed: Receives how many utterances are done, of how many.

    Raises:
        SerTuneError: A setting or the corpus is wrong, or there are no segments of equal length.
    """
    from ..features import FEATURE_SETS, corpus_features, refuse_whole_utterances, segments_by_speaker

    # The settings of features and segments are those of any study; the architecture plays no part
    flags = {"model.name": "fcn_attention", "corpus.name": corpus, "corpus.data": data, "features.name": features}
    definition = search.define_study(flags=flags, settings=settings)
    if copies := definition.config.perturbation.copies:
        raise ConfigError(f"perturbation.copies is {copies}, but an export holds clean speech only; expected 0")
    project = located(project)
    config = definition.resolved(project.cache).config
    feature_set = FEATURE_SETS.get(config.features.name)
    single_frames = feature_set.hop_s(definition.config.features) is None
    refuse_whole_utterances(config.segments, single_frames=single_frames)
    read = protocol.load_corpus(definition, project)
    store = corpus_features(read, feature_set, config.features, project.cache / "features", progress=progressed)
    task = definition.task
    targets = task.targets(definition.config.task, read.utterances)
    return ExtractedCorpus(
        answer=task.answer,
        names=targets.names,
        segments=segments_by_speaker(read, targets.values, store, config.segments),
        licence=feature_set.licence,
    )


def audit(
    *paths: Annotated[Path | str, Argument(metavar="FILE")],
    data: Data = None,
    claims: Annotated[Sequence[str], Argument(option="--claim", metavar="METRIC=NUMBER")] = (),
    speaker_from: Annotated[str | None, Argument(metavar="REGEX")] = None,
    progressed: Callable[[int, int], None] = lambda done, total: None,
) -> "Audit":
    """Check anybody's split or predictions: leaks, labels, classes, words, claimed numbers.

    Ends with 1 where something leaks or is wrong, and with 3 where nothing was found but the speakers are not known.

    Args:
        paths: A CSV path,emotion,fold|split[,speaker][,start,end][,text][,prediction], or arousal and
            prediction_arousal and the like instead of emotion and prediction; a CSV for each side (autrainer,
            audformat, Hugging Face); JSON of EmoBox, s3prl or SpeechBrain; a folder or pattern of these.
        data: Folder that paths start at; without it no sound is checked.
        claims: A published UAR, WA, macro-F1, CCC, PCC, MAE or RMSE (pooled; of folds as UAR-mean; of a dimension as
            CCC:arousal) to recompute, such as UAR=0.723; repeatable.
        speaker_from: Takes the speaker from each path: the group 'speaker', or the first group.
        progressed: Receives how many recordings were decoded, of how many.

    Raises:
        SerTuneError: A file, a recording or a claim cannot be read.
    """
    wanted = [audits.read_claim(claim) for claim in claims]
    folder = path_or_none(data)
    split = audits.read_split([Path(path) for path in paths], data=folder, speaker_from=speaker_from)
    return audits.audit_split(split, claims=wanted, with_sound=folder is not None, progressed=progressed)
