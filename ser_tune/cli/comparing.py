"""`compare`: two results beside each other."""

from .. import api
from ..config import Project
from ..resampling import MAX_STATISTIC, describe_score, permutation_test, with_interval
from ..results import Choice
from .console import notes, print_json, print_table, print_warnings, results
from .records import comparison_record

__all__ = ["compare_results"]

SHOWN_DIFFERENCES = 20
"""Utterances that `compare` lists, unless told to list all."""


def compare_results(
    first: str, second: str, *, side: str, as_json: bool, list_all: bool, tracking_uri: str | None
) -> None:
    """Print how two results compare: scores, paired test, confusion matrices, utterances that differ."""
    found = api.compare(first, second, side=side, project=Project.locate(tracking_uri=tracking_uri))
    if as_json:
        print_json([comparison_record(found, first, second)])
        return
    judged, paired = found.predictions[0][0], found.paired
    print_table(
        ["", side, *(metric.title for metric in found.metrics)],
        [
            [
                mark,
                _of_seeds(name, len(one.runs)),
                *(describe_score(known, f"{side}_{metric.name}") for metric in found.metrics),
            ]
            for mark, name, one, known in zip("AB", (first, second), found.results, found.scores, strict=True)
        ]
        + [
            [
                "A - B",
                "",
                *(with_interval(one.value, one.interval, "+") for one in paired.differences.values()),
            ]
        ],
    )
    effect = "undefined" if paired.effect_size is None else f"{paired.effect_size:.2f}"
    results.print(f"p = {paired.p_value:.4f} ({permutation_test(found.metrics[0])})", markup=False)
    if found.choice is not None:
        results.print(_chosen(found.choice), markup=False)
    results.print(
        f"effect size: Cohen's d_z {effect} over {paired.n_speakers} speakers; protocol {found.protocol.fingerprint}",
        markup=False,
    )
    print_warnings(found.protocol.warnings)
    named, write = judged.names, found.protocol.task.write
    for mark, counts, one in zip("AB", found.confusions, found.results, strict=True):
        results.print(f"\n{_of_seeds(f'confusion of {mark}', len(one.runs), 'sum')} (rows: truth)")
        print_table(["", *named], [[name, *map(str, row)] for name, row in zip(named, counts, strict=True)])
    differing = found.differing
    by_most = " by what most seeds name" if max(len(one.runs) for one in found.results) > 1 else ""
    results.print(f"\n{len(differing)} of {len(judged.utterances)} utterances differ{by_most}")
    shown = differing if list_all else differing[:SHOWN_DIFFERENCES]
    ours, theirs = found.predicted
    print_table(
        ["utterance", "speaker", "truth", "A", "B"],
        [
            [
                judged.utterances[one],
                judged.speakers[one],
                *(write(answers[one], named) for answers in (judged.truth, ours, theirs)),
            ]
            for one in shown
        ],
    )
    if len(shown) < len(differing):
        notes.print(f"{len(differing) - len(shown)} more; pass --all")


def _chosen(choice: Choice) -> str:
    """The p-value of results that were chosen for their scores."""
    how = MAX_STATISTIC if choice.exact else f"Bonferroni, times {max(choice.searched)}"
    ours, theirs = choice.searched
    return f"p = {choice.p_value:.4f} if A was chosen as the best of {ours} configurations, and B of {theirs} ({how})"


def _of_seeds(name: str, seeds: int, what: str = "mean") -> str:
    """A name; of a configuration on several seeds with a note."""
    return f"{name}, {what} of {seeds} seeds" if seeds > 1 else name
