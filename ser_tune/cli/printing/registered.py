"""Printing of `models`, `export` and `serve`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import ValidationError

from ... import serving, tracking
from ...errors import ConfigError, brief
from ...metrics import METRICS, Metric
from ...resampling import describe_score
from ..console import notes, print_json, print_table, print_warnings, results
from ..registration import Call
from ..signals import ending_within

if TYPE_CHECKING:
    from ...export import Exported
    from ...registry import RegisteredVersion

__all__ = ["announce_server", "print_export", "print_models"]

CORRECTED = "corrected"
TAGS = {"corpus": "corpus", "protocol": "fingerprint", "study": "study", "trial": "trial"}
"""Columns behind the scores, and the tags that they show."""


def print_models(call: "Call[Sequence[RegisteredVersion]]", *, wide: bool = False, as_json: bool) -> None:
    """Print every registered version.

    Args:
        call: Lists them.
        wide: Also print intervals of all scores, further metrics, corpus, protocol, study and trial.
        as_json: Print JSON.
    """
    versions = call()
    if as_json:
        print_json([_record(version) for version in versions])
        return
    if not versions:
        notes.print("no registered models yet; run `ser-tune study --model 3d_acrnn`")
        return
    objectives = _objectives([version.tags for version in versions])
    columns = _score_columns([version.tags for version in versions], wide=wide)
    rows, problems = [], list[str]()
    for version in versions:
        tags = version.tags
        # Of several objectives every version has its own, and no table has room for all metrics of all tasks
        own = _objectives([tags]) if len(objectives) > 1 else objectives
        names = {title: [f"{side}_{metric.name}" for metric in of or own] for title, (side, of) in columns.items()}
        numbers, damaged = _numbers(tags, tuple(name for of_column in names.values() for name in of_column))
        short = {name: value for name, value in numbers.items() if wide or not name.endswith(("_low", "_high"))}
        scores = [
            "".join(describe_score(numbers if title == CORRECTED else short, name) for name in of_column)
            for title, of_column in names.items()
        ]
        scores = [*(metric.title for metric in own), *scores] if len(objectives) > 1 else scores
        problems += [
            f"{version.name} version {version.version}: {tag} is {brief(tags[tag])}, no number" for tag in damaged
        ]
        facts = [tags.get(tag, "") for tag in TAGS.values()] if wide else []
        rows.append([version.name, version.version, ", ".join(version.aliases), *scores, *facts])
    objective = ["objective"] if len(objectives) > 1 else []
    print_table(["name", "version", "alias", *objective, *columns, *(TAGS if wide else ())], rows)
    tagged = [version.tags for version in versions if "warnings" in version.tags]
    print_warnings(f"protocol {tags.get('fingerprint', 'unknown')}: {tags['warnings']}" for tags in tagged)
    print_warnings(problems)


def _record(version: "RegisteredVersion") -> dict[str, object]:
    """A version with its tags for people."""
    tags = {name: value for name, value in version.tags.items() if name != tracking.FILES_TAG}
    return {"name": version.name, "version": version.version, "aliases": list(version.aliases), **tags}


def _objectives(versions: Sequence[Mapping[str, str]]) -> list[Metric]:
    """The objectives of versions, by their tags: an objective alone has a score over folds among them."""
    tags = {tag for version in versions for tag in version}
    known = (METRICS.get(name) for name in METRICS.names())
    return [metric for metric in known if f"validation_{metric.name}_fold_mean" in tags]


def _score_columns(versions: Sequence[Mapping[str, str]], *, wide: bool) -> dict[str, tuple[str, Sequence[Metric]]]:
    """The titles of columns of scores, each with its side and the metrics it shows.

    Args:
        versions: The tags of every version. Of several objectives a column shows each version's own, and has no metric
            here.
        wide: Whether further metrics have a column.
    """
    objectives = _objectives(versions)
    if len(objectives) > 1:
        return {side: (side, ()) for side in ("validation", CORRECTED, "test")}
    tags = {tag for version in versions for tag in version}
    known = (METRICS.get(name) for name in METRICS.names())
    others = [metric for metric in known if metric not in objectives and f"validation_{metric.name}" in tags]
    return {
        **{f"validation {metric.title}": ("validation", [metric]) for metric in objectives},
        CORRECTED: (CORRECTED, objectives),
        **{f"test {metric.title}": ("test", [metric]) for metric in (*objectives, *(others if wide else ()))},
    }


def _numbers(tags: Mapping[str, str], scores: tuple[str, ...]) -> tuple[dict[str, float], list[str]]:
    """Scores among the tags, and the names of scores that are not numbers."""
    numbers, damaged = dict[str, float](), list[str]()
    for key, value in tags.items():
        if key.startswith(scores):
            try:
                numbers[key] = float(value)
            except ValueError:
                damaged.append(key)
    return numbers, damaged


def print_export(call: "Call[Exported]", *, as_json: bool) -> None:
    """Print the folder, its agreement with `predict`, and the parts that are outside the model's file."""
    found = call()
    agreement = found.agreement
    if as_json:
        record = {
            "name": found.name,
            "version": found.version,
            "format": found.format,
            "folder": str(found.folder),
            "bytes": found.size_bytes,
            "recordings": agreement.recordings,
            "corpus": agreement.corpus,
            "largest_difference": agreement.difference,
            "difference_from_bfloat16": agreement.rounding,
            "outside": list(found.outside),
            "longest_s": found.longest_s,
        }
        print_json([record])
        return
    lines = [
        f"exported: {found.name}, version {found.version}, as {found.format} to {found.folder} "
        f"({found.size_bytes / 1e6:.1f} MB)",
        f"agreement with predict: the largest difference of {agreement.numbers} is {agreement.difference:.1e} on "
        f"{agreement.recordings} recordings; corpus: {agreement.corpus}",
        *(
            []
            if agreement.rounding is None
            else [
                "the registered model runs its encoder in bfloat16, the exported one in float32, in which they were "
                f"compared; difference from bfloat16: {agreement.rounding:.1e}"
            ]
        ),
        *(f"outside the model's file: {part}" for part in found.outside),
        *([f"limit: recordings of up to {found.longest_s:g} s"] if found.longest_s is not None else []),
        f"next: python {found.folder}/predict.py AUDIO..., or docker build {found.folder}",
    ]
    for line in lines:
        results.print(line)


def announce_server(call: Call[None], *, model: str, max_seconds: float = 300.0, max_mb: float = 32.0) -> None:
    """Answer requests until a signal; print the address and an example once requests are answered.

    Args:
        call: Runs the server.
        model: The model's name.
        max_seconds: Seconds of sound in one request.
        max_mb: Megabytes of one request.
    """

    def started(address: str) -> None:
        results.print(f"{model} answers at {address}/invocations (Ctrl-C ends)", soft_wrap=True)
        notes.print("for example:")
        notes.print(
            """printf '{"dataframe_records": [{"audio": "%s"}]}' "$(base64 < AUDIO.wav)" | tr -d '\\n' | """
            f"curl -H 'Content-Type: application/json' -d @- {address}/invocations",
            soft_wrap=True,
        )

    try:
        limits = serving.Limits(max_seconds=max_seconds, max_mb=max_mb)
    except ValidationError as error:
        wrong = error.errors()[0]
        option = str(wrong["loc"][0]).replace("_", "-")
        raise ConfigError(f"--{option} is {wrong['input']}; expected more than 0") from None
    ending_within(serving.GRACE_S + 5)  # requests under way are answered first
    call(limits=limits, started=started)
