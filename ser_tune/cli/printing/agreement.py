"""Printing of annotators' agreement, and records of it and of models against the crowd as JSON."""

from math import isfinite
from typing import TYPE_CHECKING

from ..console import print_table, results

if TYPE_CHECKING:
    from ...audit import Agreement, Crowd, SoundlessScore
    from ...resampling import Estimate, Interval

__all__ = ["agreement_record", "baseline_record", "crowd_record", "print_agreement"]


def print_agreement(found: "Agreement") -> None:
    """Print the agreement on votes and on every dimension, where there are any."""
    from ...metrics import METRICS

    if (votes := found.votes) is not None:
        results.print(
            f"votes: {votes.votes:.1f} of each of {votes.utterances} utterances, entropy {_written(votes.entropy)} of "
            f"{votes.highest_entropy:.3f} bits; Fleiss's kappa {_written(votes.kappa)}"
        )
        scores = ", ".join(f"{METRICS.get(name).title} {_written(score)}" for name, score in votes.human.items())
        results.print(f"a human against the votes of the others: {scores}")
    if found.ratings:
        titles = [METRICS.get(name).title for name in found.ratings[0].human]
        columns = ["dimension", "utterances", "ratings", "alpha", *titles]
        rows = [
            [ratings.dimension, str(ratings.utterances), f"{ratings.ratings:.1f}"]
            + [_written(score) for score in (ratings.alpha, *ratings.human.values())]
            for ratings in found.ratings
        ]
        results.print("ratings: Krippendorff's alpha, and scores of a human against the mean of the others")
        print_table(columns, rows)


def agreement_record(found: "Agreement") -> dict[str, object]:
    """The agreement as JSON has it."""
    votes = found.votes
    return {
        "votes": votes
        and {
            "utterances": votes.utterances,
            "votes": votes.votes,
            "entropy": _record(votes.entropy),
            "highest_entropy": votes.highest_entropy,
            "fleiss_kappa": _record(votes.kappa),
            "human": {name: _record(score) for name, score in votes.human.items()},
        },
        "ratings": {
            ratings.dimension: {
                "utterances": ratings.utterances,
                "ratings": ratings.ratings,
                "krippendorff_alpha": _record(ratings.alpha),
                "human": {name: _record(score) for name, score in ratings.human.items()},
            }
            for ratings in found.ratings
        },
    }


def crowd_record(found: "Crowd") -> dict[str, object]:
    """A model against the crowd as JSON has it."""
    entropy = found.entropy
    return {
        "guesses": [
            {
                "guessed": guess.what,
                "metric": guess.metric.name,
                "utterances": guess.utterances,
                "annotator": _record(guess.annotator),
                "model": _record(guess.model),
                "others": _record(guess.others),
                "over_annotator": _record(guess.over_annotator),
                "verdict": guess.verdict,
            }
            for guess in found.guesses
        ],
        "entropy": entropy
        and {
            "utterances": entropy.utterances,
            "correlation": _record(entropy.correlation),
            "annotators": entropy.annotators,
            "model": entropy.model,
        },
    }


def baseline_record(baseline: "SoundlessScore | None") -> dict[str, object] | None:
    """A baseline as JSON has it; null where there is none."""
    if baseline is None:
        return None
    return {
        baseline.metric.name: _finite(baseline.value),
        "interval": _ends(baseline.interval),
        "chance": _finite(baseline.chance),
        "above_chance": baseline.above_chance,
    }


def _written(estimate: "Estimate") -> str:
    interval = f" {estimate.interval}" if estimate.interval.known else ""
    return f"{estimate.value:.3f}{interval}"


def _record(estimate: "Estimate") -> dict[str, object]:
    return {"value": _finite(estimate.value), "interval": _ends(estimate.interval)}


def _ends(interval: "Interval") -> list[float] | None:
    return [interval.low, interval.high] if interval.known else None


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
