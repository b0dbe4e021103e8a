"""`predict`, its pictures and timelines, `listen`: what a registered model recognises in recordings."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Project
from ..errors import AudioError, ConfigError
from ..registry import load_model

if TYPE_CHECKING:
    from ..prediction import Prediction
    from ..recordings import Change, Timeline, Unusable
    from ..tracking import LoadedModel

__all__ = ["draw", "listen", "predict", "timeline"]


def predict(
    model: "str | LoadedModel",
    audio: Sequence[str | Path],
    *,
    listed: Iterable[str] = (),
    min_confidence: float = 0.0,
    progressed: Callable[[int, int], None] = lambda done, total: None,
    project: Project | None = None,
) -> "Iterator[Prediction | Unusable]":
    """Recognise the emotion in sound files, a few at a time: a folder of any size takes little memory.

    Args:
        model: `name` (its champion), `name@alias` or `name/version`, or what `load_model` returned.
        audio: Files, folders, patterns such as `sounds/**/*.wav`, and `-`, which stands for `listed`.
        listed: Files or folders, such as the lines of standard input.
        min_confidence: Where no emotion has this probability, the label is `uncertain`.
        progressed: Told how many files are done, and how many there are.
        project: Where things are; None is `Project.locate()`.

    Returns:
        Of each file, in order, its prediction; or `Unusable`, the reason why there is none.

    Raises:
        SerTuneError: There is no such model, or a folder or pattern has no files.
    """
    from ..recordings import Unusable, find_files, label_of, predict_files

    _refuse_other_confidence(min_confidence)
    files = find_files([str(one) for one in audio], listed)
    loaded = _loaded(model, project)

    def answered() -> "Iterator[Prediction | Unusable]":
        for one in predict_files(loaded, files, progressed=progressed):
            if isinstance(one, Unusable):
                yield one
            else:
                yield replace(one, label=label_of(loaded, one.probabilities, min_confidence))

    return answered()


def timeline(
    model: "str | LoadedModel",
    audio: Sequence[str | Path],
    *,
    listed: Iterable[str] = (),
    window_s: float | None = None,
    min_confidence: float = 0.0,
    progressed: Callable[[float, int], None] = lambda done, total: None,
    project: Project | None = None,
) -> "Iterator[Timeline | Unusable]":
    """Find the speech in long recordings, and recognise its emotions over time.

    Needs the extra `timeline`.

    Args:
        model: As `predict` takes it.
        audio: As `predict` takes it.
        listed: As `predict` takes it.
        window_s: Seconds of speech that are judged together; None is 3.
        min_confidence: Where no emotion has this probability, the label is `uncertain`.
        progressed: Told how many files, and shares of a file, are done, and how many there are.
        project: Where things are; None is `Project.locate()`.

    Returns:
        Of each file, in order, its timeline; or `Unusable`, the reason why there is none.

    Raises:
        SerTuneError: There is no such model, a folder or pattern has no files, or a package is missing.
    """
    from ..recordings import SpeechDetector, Unusable, find_files, timeline_of

    _refuse_other_confidence(min_confidence)
    _refuse_other_window(window_s)
    files = find_files([str(one) for one in audio], listed)
    detector = SpeechDetector()
    loaded = _loaded(model, project)

    def found() -> "Iterator[Timeline | Unusable]":
        progressed(0, len(files))
        for number, file in enumerate(files):

            def share_done(share: float, before: int = number) -> None:
                progressed(before + share, len(files))

            try:
                yield timeline_of(
                    loaded,
                    file,
                    detector,
                    window_s=window_s,
                    min_confidence=min_confidence,
                    progressed=share_done,
                )
            except AudioError as error:
                yield Unusable(file, str(error))

    return found()


def draw(
    model: "str | LoadedModel", audio: str | Path, out: str | Path, *, project: Project | None = None
) -> "Prediction":
    """Draw waveform, spectrogram, emotions over time and attention of one utterance.

    Args:
        model: As `predict` takes it.
        audio: A sound file of at most a minute.
        out: The picture: PNG, SVG or PDF, by its suffix.
        project: Where things are; None is `Project.locate()`.

    Returns:
        The utterance's prediction.

    Raises:
        SerTuneError: There is no such model, the file cannot be used, or the picture cannot be written there.
    """
    from ..recordings import draw_utterance, refuse_other_picture

    refuse_other_picture(Path(out))  # before the model is loaded
    return draw_utterance(_loaded(model, project), Path(audio), Path(out))


def listen(
    model: "str | LoadedModel",
    *,
    device: str | None = None,
    window_s: float | None = None,
    min_confidence: float = 0.0,
    started: Callable[[str], None] = lambda microphone: None,
    project: Project | None = None,
) -> "Generator[Change, None, None]":
    """Recognise emotions in what a microphone hears, until it is interrupted.

    Needs the extra `listen`.

    Args:
        model: As `predict` takes it.
        device: The microphone's number, or a part of its name; None is the system's default.
        window_s: Newest seconds of speech that are judged together; None is 3.
        min_confidence: Where no emotion has this probability, the label is `uncertain`.
        started: Told the microphone's name when it is on.
        project: Where things are; None is `Project.locate()`.

    Yields:
        Every emotion that differs from the one before.

    Raises:
        SerTuneError: There is no such model or microphone, a package is missing, or the model normalises by speaker.
        KeyboardInterrupt: It was interrupted.
    """
    from ..recordings import Microphone, SpeechDetector, follow

    _refuse_other_confidence(min_confidence)
    _refuse_other_window(window_s)
    microphone, detector = Microphone(device), SpeechDetector()
    loaded = _loaded(model, project)
    if loaded.recipe.normalisation.scope == "speaker":
        raise ConfigError(
            "the model normalises features by speaker, which needs all recordings of a speaker at once; listen takes "
            "models with normalisation by training speakers or utterance"
        )
    with microphone:
        started(microphone.name)
        yield from follow(loaded, microphone, detector, window_s=window_s, min_confidence=min_confidence)


def _refuse_other_window(window_s: float | None) -> None:
    if window_s is not None and not 0.5 <= window_s <= 60:
        raise ConfigError(f"window_s is {window_s:g}; expected 0.5 to 60 seconds")


def _refuse_other_confidence(min_confidence: float) -> None:
    if not 0 <= min_confidence <= 1:
        raise ConfigError(f"min_confidence is {min_confidence:g}; expected a probability from 0 to 1")


def _loaded(model: "str | LoadedModel", project: Project | None) -> "LoadedModel":
    if not isinstance(model, str):
        return model
    return load_model(model, tracking_uri=None if project is None else project.tracking_uri)
