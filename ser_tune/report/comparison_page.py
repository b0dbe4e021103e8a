"""The comparison of two results as one page of HTML that needs no other file and no network."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..config import Value
from ..definition import differences_of
from ..metrics import Ranking
from ..pages import page_from
from ..resampling import MAX_STATISTIC, Interval, describe_score, interval_of, permutation_test, with_interval
from ..results import Comparison, compared_outputs, compared_speakers
from ..tracking import Workspace
from .reported import ReportedSearch
from .searched import read_search
from .words import displayed

__all__ = ["comparison_page"]

LISTED = 60
"""Utterances that are listed, of those whose answers differ."""
LEVEL = 0.05
"""A difference is called shown where its p-value is below."""
_VERSION = "version."


@dataclass(frozen=True, slots=True)
class _Row:
    """Something that A and B have, each in words; empty where one of them has not."""

    name: str
    a: str
    b: str
    note: str = ""


def comparison_page(workspace: Workspace, found: Comparison, names: tuple[str, str]) -> str:
    """Write the page; the template escapes every name that comes from data.

    Args:
        workspace: The project's stores, from which both searches are read.
        found: The comparison.
        names: A and B as the user named them.

    Raises:
        StorageError: A store fails.
    """
    from .comparison_pictures import comparison_pictures  # imports Matplotlib

    with workspace.errors():
        searches = [read_search(workspace, result.run) for result in found.results]
    metric, outputs = compared_outputs(found)
    speakers = compared_speakers(found)
    objective = found.protocol.objective
    side, task = found.side, found.protocol.task
    ours, theirs = found.predicted
    judged = found.predictions[0][0]
    return page_from(
        Path(__file__).parent / "comparison_page.html",
        names=names,
        found=found,
        objective=objective,
        task=task,
        metric=metric,
        outputs=outputs,
        speakers=speakers,
        n_speakers=found.paired.n_speakers,
        judged=judged,
        seeds=[len(result.runs) for result in found.results],
        tiles=[
            (f"{mark}: {name}", scores[f"{side}_{objective.name}"], interval_of(scores, f"{side}_{objective.name}"))
            for mark, name, scores in zip("AB", names, found.scores, strict=True)
        ],
        described=[
            [describe_score(scores, f"{side}_{scored.name}") for scored in found.metrics] for scores in found.scores
        ],
        with_interval=with_interval,
        verdict=verdict_of(found),
        test=permutation_test(objective),
        chosen_test=MAX_STATISTIC,
        right=_right(found) if found.kind.has_classes else None,
        differing=[
            (
                judged.utterances[index],
                judged.speakers[index],
                *(found.kind.told(task, answers[index], judged.names) for answers in (judged.truth, ours, theirs)),
            )
            for index in found.differing[:LISTED]
        ],
        settings=_settings(found, searches),
        searched=_searches(searches),
        versions=_versions(found),
        pictures=comparison_pictures(objective, searches, metric, outputs, speakers),
    )


def verdict_of(found: Comparison) -> str:
    """A sentence on the difference, which claims it only where interval and p-value both show it."""
    primary = found.paired.primary
    p_value = found.paired.p_value if found.choice is None else found.choice.p_value
    if not _shown(primary.interval, p_value):
        return "No difference is shown between A and B"
    better = "A" if Ranking(found.protocol.objective).gain(primary.value, 0.0) > 0 else "B"
    return f"{better} is better than {'B' if better == 'A' else 'A'}"


def _shown(interval: Interval, p_value: float) -> bool:
    return interval.known and p_value < LEVEL and not interval.low <= 0 <= interval.high


def _right(found: Comparison) -> Mapping[str, int]:
    """Utterances by which of the results is right about them."""
    truth = found.predictions[0][0].truth
    a, b = (answers == truth for answers in found.predicted)
    return {
        "both are right": int((a & b).sum()),
        "only A is right": int((a & ~b).sum()),
        "only B is right": int((~a & b).sum()),
        "neither is right": int((~a & ~b).sum()),
    }


def _settings(found: Comparison, searches: Sequence[ReportedSearch | None]) -> list[_Row]:
    """The settings that the compared trials have otherwise, with a note where a search chose them."""
    ours, theirs = (result.run.data.params for result in found.results)
    rows = []
    for difference in differences_of(ours, theirs):
        path = difference.path
        by = [mark for mark, search in zip("AB", searches, strict=True) if search and path in search.definition.search]
        note = f"searched by {' and '.join(by)}" if by else ""
        a, b = (displayed(path, _read(params.get(path))) for params in (ours, theirs))
        rows.append(_Row(path, a, b, note))
    return rows


def _read(param: str | None) -> Value | None:
    """A parameter of MLflow, which stores text; a number in it is read."""
    with suppress(ValueError):
        return float(param or "") if re.search(r"\d[.e]", param or "") else param
    return param


def _searches(searches: Sequence[ReportedSearch | None]) -> list[_Row]:
    """Both searches: their sizes, and the ranges and settings of the search that differ."""
    a, b = map(_facts, searches)
    names = [name for name in dict.fromkeys([*a, *b]) if "." not in name or a.get(name) != b.get(name)]
    return [_Row(name, a.get(name, "none"), b.get(name, "none")) for name in names]


def _facts(search: ReportedSearch | None) -> dict[str, str]:
    """A search in words: its trials, its ranges, and settings of the search."""
    if search is None:
        return {}
    summary, study = search.summary, search.definition.config.study
    seconds = float(np.sum([trial.seconds or 0.0 for trial in search.trials]))
    chosen = study.model_dump(mode="json")
    return {
        "trials": f"{summary.complete} complete, {summary.pruned} pruned, {summary.failed} failed",
        "training time": f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 3600:.1f} h",
        "searched settings": str(len(search.definition.search)),
        **{f"range of {path}": str(span) for path, span in sorted(search.definition.search.items())},
        **{f"study.{name}": str(value) for name, value in sorted(chosen.items()) if not isinstance(value, dict)},
    }


def _versions(found: Comparison) -> list[_Row]:
    """Packages that trained A and B in different versions."""
    ours, theirs = (
        {name.removeprefix(_VERSION): tag for name, tag in result.run.data.tags.items() if name.startswith(_VERSION)}
        for result in found.results
    )
    return [
        _Row(difference.path, str(difference.now or "none"), str(difference.then or "none"))
        for difference in differences_of(ours, theirs)
    ]
