"""The exception hierarchy: everything a user can cause and mend.

The command line prints the message of a `SerTuneError` as one sentence and exits with code 2. Any other exception
is a bug of ours and shows its traceback.
"""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "AudioError",
    "ConfigError",
    "CorpusError",
    "ExecutionError",
    "LeakError",
    "MappingError",
    "NonFiniteLossError",
    "ProtocolError",
    "RegistryError",
    "SerTuneError",
    "StorageError",
    "StudyError",
    "Terminated",
    "TrackingError",
    "UnknownNameError",
    "brief",
    "reason_in",
    "valid_names",
]


class SerTuneError(Exception):
    """Base class of all errors whose message names the bad value, the expected value and the place, such as a file."""


class AudioError(SerTuneError):
    """A file that cannot be used as speech: not audio, truncated, empty, silent, too short, not finite."""


class ConfigError(SerTuneError):
    """A setting that does not exist, has the wrong type, or lies outside its bounds."""


class CorpusError(SerTuneError):
    """A corpus folder or manifest that is missing, empty, mislabelled, or too small for the protocol."""


class ExecutionError(SerTuneError):
    """A process, node or cluster that trains folds was lost again and again, or cannot be reached."""


class LeakError(SerTuneError):
    """Something of the speakers that are held out would reach training."""


class MappingError(SerTuneError):
    """Emotions of a corpus that cannot be mapped to the classes of a model."""


class NonFiniteLossError(SerTuneError):
    """Training diverged: the loss became NaN or infinite. The trial fails; it never becomes a score."""


class UndefinedScoreError(SerTuneError):
    """The objective is not defined for what a trial predicts, as a correlation of equal numbers. The trial fails."""


class ProtocolError(SerTuneError):
    """Scores that mean different things were to be ranked or compared."""


class RegistryError(SerTuneError):
    """A registered model, alias, version or study that does not exist or cannot be promoted."""


class StorageError(SerTuneError):
    """A disk that is full or read-only, or a database that cannot be opened."""


class TrackingError(StorageError):
    """A tracking store that does not answer, or fails."""


class StudyError(SerTuneError):
    """A study that does not exist, or differs from the requested study."""


class Terminated(KeyboardInterrupt):
    """The system ends the process (SIGTERM, SIGHUP): as Ctrl-C, but there is no time for anything except saving."""

    def __init__(self, number: int) -> None:
        """Remember the signal.

        Args:
            number: The signal's.
        """
        super().__init__(number)
        self.number = number


class UnknownNameError(ConfigError):
    """A name that is not on the list of valid ones."""

    def __init__(self, kind: str, name: str, valid: Iterable[str]) -> None:
        """Compose the message.

        Args:
            kind: What is being named, in words, such as "architecture".
            name: What the user wrote.
            valid: Every name that would have been accepted.
        """
        super().__init__(f"unknown {kind} {brief(name)}; choose from: {valid_names(name, sorted(valid))}")


def valid_names(name: str, valid: Iterable[str]) -> str:
    """The end of a message about an unknown name: the valid ones, and the nearest of them where one is near.

    >>> valid_names("light_cn", ["alex_net", "light_cnn"]), valid_names("first", [])
    ("alex_net, light_cnn; did you mean 'light_cnn'?", 'none')

    Args:
        name: What the user wrote.
        valid: Every name that would have been accepted, in the order of the message.
    """
    names = list(valid)
    folded = {choice.casefold(): choice for choice in names}
    near = get_close_matches(name.casefold(), folded, n=1, cutoff=0.7)
    return (", ".join(names) or "none") + (f"; did you mean '{folded[near[0]]}'?" if near else "")


LONGEST_VALUE = 200
"""Characters of a value in a message."""


def brief(value: object) -> str:
    """A value as a message names it: as Python writes it, in the middle of a very long one an ellipsis.

    >>> brief("3d"), len(brief("x" * 10_000)), brief(10**5000)
    ("'3d'", 200, 'a number of more than 4000 digits')
    """
    try:
        text = repr(value)
    except ValueError:  # Python writes no such number in decimal digits
        return "a number of more than 4000 digits"
    half = LONGEST_VALUE // 2
    return text if len(text) <= LONGEST_VALUE else f"{text[: half - 1]}…{text[-half:]}"


LONGEST_REASON = 300
"""Characters of a library's message inside a message."""


def reason_in(error: BaseException) -> str:
    r"""The message of a library's error on one line, shortened; the name of its class where it has none.

    >>> reason_in(ValueError("Schema was different: \n  a\n  b")), reason_in(KeyError())
    ('Schema was different: a b', 'KeyError')
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 1]}…"
