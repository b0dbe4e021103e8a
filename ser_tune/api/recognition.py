"""`predict` with its pictures and timelines, and `listen`: a registered model on recordings and a microphone."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from .. import drawing, recordings, registry
from ..errors import AudioError, ConfigError
from ..stored_names import refuse_unknown_model
from .arguments import Argument, Data, ErrorRate, located, path_or_none

if TYPE_CHECKING:
    from ..prediction import Prediction
    from ..project import Project
    from ..recordings import Change, SpeakerMemory, Submission, Timeline, Unusable
    from ..tasks import StatedSets
    from ..tracking import LoadedModel

__all__ = ["draw", "listen", "predict", "submission", "timeline"]

Model = Annotated["str | LoadedModel", Argument(metavar="MODEL", completes="model")]
Audio = Annotated[Sequence[str | Path], Argument(metavar="PATH")]
Confidence = Annotated[float, Argument(metavar="P", minimum=0, maximum=1)]
Window = Annotated[float | None, Argument(option="--window", metavar="S", minimum=0.5, maximum=60)]


def predict(
    model: Model,
    audio: Audio,
    *,
    listed: Iterable[str] = (),
    min_confidence: Confidence = 0.0,
    error_rate: ErrorRate = None,
    guaranteed: bool = False,
    speaker: Annotated[str | None, Argument(metavar="NAME")] = None,
    remember: bool = False,
    progressed: Callable[[int, int], None] = lambda done, total: None,
    project: "Project | None" = None,
) -> "Iterator[Prediction | Unusable]":
    """Recognise the emotion in sound files with a registered model.

    A file that cannot be used is named, the others are predicted, and the exit code is 1. Files are read a few at a
    time: a folder of any size takes little memory.

    Args:
        model: NAME (its champion), NAME@ALIAS, NAME/VERSION.
        audio: Sound files; folders, of which all sound files below are taken; patterns in quotes, such as
            'sounds/**/*.wav'; - reads paths from standard input, a path a line.
        listed: Files or folders, such as the lines of standard input.
        min_confidence: Name the answer uncertain where the highest probability is below P; probabilities stay as they
            are.
        error_rate: Also give the prediction set of each file, which lacks the true answer in a share R of utterances of
            new speakers. The answer is uncertain where the set is empty or has several emotions. Of ratings, the set is
            a range.
        guaranteed: Use larger sets, whose error rate is at most R whatever the distribution of speakers.
        speaker: All files are recordings of this speaker. A model that adapts to speakers also uses the statistics that
            `--remember` kept of this speaker.
        remember: Keep statistics of the files, without sound, in speakers/NAME/ of the project folder for later calls
            with the same speaker. Delete that folder to forget them.
        progressed: Receives how many files are done, of how many.
        project: Where things are; None is `Project.locate()`.

    Note:
        From Python, `model` may also be what `load_model` returned, and the paths of - are those in `listed`.

    Returns:
        The prediction of each file, in order; in place of it `Unusable` with the reason.

    Raises:
        SerTuneError: There is no such model, or a folder or pattern has no files.
    """
    _refuse_other_confidence(min_confidence)
    files = recordings.find_files(list(map(str, audio)), listed)
    loaded = _loaded(model, project, min_confidence)
    sets = recordings.stated_sets(loaded, error_rate, guaranteed=guaranteed, min_confidence=min_confidence)
    memory = _memory(loaded, speaker, project, remember=remember)
    predicted = recordings.predict_files(loaded, files, memory=memory, progressed=progressed)
    return _answered(predicted, loaded, sets, memory, min_confidence=min_confidence, remember=remember)


def submission(
    model: Model,
    *,
    corpus: Annotated[str, Argument(completes="corpora")],
    split: str,
    data: Data = None,
    progressed: Callable[[int, int], None] = lambda done, total: None,
    project: "Project | None" = None,
) -> "Submission":
    """Predict a side of a corpus's split, such as a test set with withheld labels, as a table for its challenge.

    Its columns are those of the corpus's challenges, such as FileName,EmoClass or FileName,EmoAct,EmoVal,EmoDom of
    MSP-Podcast; of other corpora path and emotion, or a column for each dimension. Labels of the side are not read.

    Args:
        model: NAME (its champion), NAME@ALIAS, NAME/VERSION.
        corpus: Corpus, of `ser-tune corpus list`.
        split: The side, such as test3.
        data: The corpus's folder; for manifest, its CSV file.
        progressed: Receives how many recordings are done, of how many.
        project: Where things are; None is `Project.locate()`.

    Note:
        From Python, `model` may also be what `load_model` returned.

    Returns:
        The table; its rows are predicted as they are read.

    Raises:
        SerTuneError: There is no such model, corpus or side, a recording cannot be used, or the challenge's table does
            not take the model's answers.
    """
    project = located(project)
    return recordings.prepare_submission(
        _loaded(model, project), corpus, split, data=path_or_none(data), cache=project.cache, progressed=progressed
    )


def timeline(
    model: Model,
    audio: Audio,
    *,
    listed: Iterable[str] = (),
    window_s: Window = None,
    min_confidence: Confidence = 0.0,
    progressed: Callable[[float, int], None] = lambda done, total: None,
    project: "Project | None" = None,
) -> "Iterator[Timeline | Unusable]":
    """Find the speech in long recordings, and recognise its emotions over time. Needs the extra `timeline`.

    Args:
        model: As in `predict`.
        audio: As in `predict`.
        listed: As in `predict`.
        window_s: Seconds of speech that are predicted together; None is 3.
        min_confidence: As in `predict`.
        progressed: Receives how many files, and shares of a file, are done, of how many.
        project: Where things are; None is `Project.locate()`.

    Returns:
        The timeline of each file, in order; in place of it `Unusable` with the reason.

    Raises:
        SerTuneError: There is no such model, a folder or pattern has no files, or a package is missing.
    """
    _refuse_other_confidence(min_confidence)
    _refuse_other_window(window_s)
    files = recordings.find_files(list(map(str, audio)), listed)
    detector = recordings.SpeechDetector()
    loaded = _loaded(model, project, min_confidence)

    def found() -> "Iterator[Timeline | Unusable]":
        progressed(0, len(files))
        for number, file in enumerate(files):

            def share_done(share: float, before: int = number) -> None:
                progressed(before + share, len(files))

            try:
                yield recordings.timeline_of(
                    loaded,
                    file,
                    detector,
                    window_s=window_s,
                    min_confidence=min_confidence,
                    progressed=share_done,
                )
            except AudioError as error:
                yield recordings.Unusable(file, str(error))

    return found()


def draw(model: Model, audio: str | Path, out: str | Path, *, project: "Project | None" = None) -> "Prediction":
    """Draw waveform, spectrogram, emotions over time and attention of an utterance.

    Args:
        model: As in `predict`.
        audio: A sound file of at most a minute.
        out: The picture: PNG, SVG or PDF, by its suffix.
        project: Where things are; None is `Project.locate()`.

    Returns:
        The utterance's prediction.

    Raises:
        SerTuneError: There is no such model, the file cannot be used, or the picture cannot be written there.
    """
    drawing.refuse_other_picture(Path(out))  # before the model is loaded
    return recordings.draw_utterance(_loaded(model, project), Path(audio), Path(out))


def listen(
    model: Model,
    *,
    device: str | None = None,
    window_s: Window = 3.0,
    min_confidence: Confidence = 0.0,
    speaker: Annotated[str | None, Argument(metavar="NAME")] = None,
    started: Callable[[str], None] = lambda microphone: None,
    project: "Project | None" = None,
) -> "Generator[Change, None, None]":
    """Recognise the emotion in a microphone's sound, until Ctrl-C. Needs the extra listen.

    Prints the first emotion and every change, with seconds since the start and the probability. Pauses are left out.

    Args:
        model: NAME (its champion), NAME@ALIAS, NAME/VERSION.
        device: The microphone's number or a part of its name; default: the system's.
        window_s: Newest seconds of speech that are predicted together.
        min_confidence: Name the answer uncertain where the highest probability is below P; probabilities stay as they
            are.
        speaker: Who speaks. A model that adapts to speakers, or normalises by speaker, uses the statistics that
            `predict --speaker NAME --remember` kept.
        started: Receives the microphone's name when it is on.
        project: Where things are; None is `Project.locate()`.

    Note:
        From Python, `model` may also be what `load_model` returned.

    Yields:
        Every emotion that differs from the one before.

    Raises:
        SerTuneError: There is no such model or microphone, a package is missing, nothing is remembered of the speaker,
            or the model normalises by speaker and none is named.
        KeyboardInterrupt: It was interrupted.
    """
    _refuse_other_confidence(min_confidence)
    _refuse_other_window(window_s)
    if isinstance(model, str):
        refuse_unknown_model(model, located(project))
    microphone, detector = recordings.Microphone(device), recordings.SpeechDetector()
    loaded = _loaded(model, project, min_confidence)
    before = None if (memory := _memory(loaded, speaker, project, remember=False)) is None else memory.before
    if memory is not None and before is None:
        raise ConfigError(
            f"nothing is remembered of speaker '{speaker}' for this model; expected a speaker of `ser-tune predict "
            "MODEL FILES --speaker NAME --remember`"
        )
    if before is None and not loaded.adapts and (scope := _judged_together(loaded)):
        remembered = ", or with --speaker a remembered one" if scope == "speaker" else ""
        raise ConfigError(
            f"the model normalises features by {scope}, which needs all recordings of a {scope} at once; listen takes "
            f"models with normalisation by training speakers or utterance{remembered}"
        )
    with microphone:
        started(microphone.name)
        yield from recordings.follow(
            loaded, microphone, detector, window_s=window_s, min_confidence=min_confidence, before=before
        )


def _judged_together(model: "LoadedModel") -> str:
    """The unit whose recordings a model judges at once, `speaker` or `corpus`; empty where it judges each alone."""
    from ..config import together  # with pydantic

    return together(model.recipe)


def _answered(
    predicted: "Iterator[Prediction | Unusable]",
    model: "LoadedModel",
    sets: "StatedSets | None",
    memory: "SpeakerMemory | None",
    *,
    min_confidence: float,
    remember: bool,
) -> "Iterator[Prediction | Unusable]":
    """Predictions with their label and the basis of a named speaker, who is remembered after the last."""
    for found in predicted:
        if isinstance(found, recordings.Unusable):
            yield found
            continue
        basis = "" if memory is None else memory.basis
        if sets is not None:
            yield replace(recordings.within(found, sets), basis=basis)
        else:
            yield replace(found, label=recordings.label_of(model, found.numbers, min_confidence), basis=basis)
    if memory is not None and remember:
        memory.remember(model)


def _memory(
    model: "LoadedModel", speaker: str | None, project: "Project | None", *, remember: bool
) -> "SpeakerMemory | None":
    """The memory of a named speaker; None without a name."""
    if speaker is not None:
        return recordings.SpeakerMemory.open(model, speaker, located(project).speakers)
    if remember:
        raise ConfigError("remember needs the speaker's name; pass --speaker NAME too")
    return None


def _refuse_other_window(window_s: float | None) -> None:
    if window_s is not None and not 0.5 <= window_s <= 60:
        raise ConfigError(f"window_s is {window_s:g}; expected 0.5 to 60 seconds")


def _refuse_other_confidence(min_confidence: float) -> None:
    if not 0 <= min_confidence <= 1:
        raise ConfigError(f"min_confidence is {min_confidence:g}; expected a probability from 0 to 1")


def _loaded(model: "str | LoadedModel", project: "Project | None", min_confidence: float = 0.0) -> "LoadedModel":
    if isinstance(model, str):
        refuse_unknown_model(model, located(project))
        model = registry.load_model(model, tracking_uri=None if project is None else project.tracking_uri)
    if min_confidence and not (task := model.task).has_probabilities:
        raise ConfigError(
            f"min_confidence is {min_confidence:g}, a probability, but the model's numbers are {task.numbers}: leave "
            "it out"
        )
    return model
