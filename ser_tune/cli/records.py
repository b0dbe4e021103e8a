"""Results as the JSON that commands print."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .. import experiments, tracking
from ..resampling import Interval, permutation_test

if TYPE_CHECKING:
    from ..api import StudyResult
    from ..errors import SerTuneError
    from ..experiments import Ablated, Combination, Confirmation, Replay, Reproduction
    from ..registry import Promotion
    from ..results import Comparison, Nested
    from ..search import Front, Selection
    from ..tracking import ScoredSet

__all__ = [
    "ablation_records",
    "combination_record",
    "comparison_record",
    "confirmation_record",
    "ends",
    "nested_record",
    "promotion_record",
    "replay_record",
    "reproduction_record",
    "study_record",
]

Record = dict[str, Any]


def ends(interval: Interval) -> list[float] | None:
    """Both ends of an interval; None where there are too few speakers."""
    return [interval.low, interval.high] if interval.known else None


def promotion_record(promotion: "Promotion") -> Record:
    """A registered version, its scores and its protocol."""
    prepared = promotion.prepared
    return {
        "name": promotion.name,
        "version": promotion.version,
        "alias": promotion.alias,
        "reason": promotion.reason,
        "created": promotion.created,
        "trial": promotion.trial,
        "corpus": prepared.corpus.name,
        "fingerprint": prepared.protocol.fingerprint,
        "warnings": list(prepared.protocol.warnings),
        "metrics": dict(promotion.metrics),
        "test_sets": {found.name: _set_record(found) for found in tracking.scored_sets(promotion.metrics)},
        "selection": _selection_record(promotion.selection),
    }


def _set_record(found: "ScoredSet") -> Record:
    """The sizes of a test set, its scores with their intervals, and parts such as recalls."""
    parts = {name: value for name, value in found.scores.items() if "/" in name}
    scores = [name for name in found.scores if name not in parts and not name.endswith(("_low", "_high"))]
    return {"utterances": found.utterances, "speakers": found.speakers, **parts} | {
        key: value
        for name in scores
        for key, value in ((name, found.scores[name]), (f"{name}_interval", ends(found.interval(name))))
    }


def study_record(result: "StudyResult") -> Record:
    """A study: counts of trials, all trials, and what became of the best."""
    summary = result.summary
    return {
        "study": summary.name,
        "complete": summary.complete,
        "pruned": summary.pruned,
        "failed": summary.failed,
        "interrupted": summary.interrupted,
        "failures": list(summary.failures),
        "converged": None if summary.converged is None else asdict(summary.converged),
        "best_trial": None if summary.best is None else summary.best[0],
        **({} if summary.front is None else {"front": front_record(summary.front)}),
        "edges": [{"path": edge.path, "end": edge.end, "value": edge.value} for edge in result.edges],
        "trials": json.loads(result.trials.reset_index().to_json(orient="records")),
        "promotion": None if result.promotion is None else promotion_record(result.promotion),
    }


def front_record(front: "Front") -> Record:
    """A Pareto front: its trials, best by the primary objective first, and its hypervolume."""
    return {
        "objectives": list(front.names),
        "trials": [
            {"trial": trial.number, **dict(zip(front.names, trial.values, strict=True))} for trial in front.trials
        ],
        "complete": front.searched,
        "hypervolume": front.hypervolume,
        "reference": dict(zip(front.names, front.reference, strict=True)),
    }


def _selection_record(selection: "Selection | None") -> Record | None:
    """The winner without the choice among trials."""
    if selection is None:
        return None
    found, score = selection.corrected, f"corrected_{selection.objective.name}"
    gains = {"gain_over_first": found.over_first, "gain_over_median": found.over_median}
    return {
        "trial": selection.winner,
        "first_trial": selection.first,
        "trials": selection.trials,
        score: found.score.value,
        f"{score}_interval": ends(found.score.interval),
    } | {
        name: value
        for gain, estimate in gains.items()
        if selection.trials > 1
        for name, value in ((gain, estimate.value), (f"{gain}_interval", ends(estimate.interval)))
    }


def nested_record(nested: "Nested") -> Record:
    """Every search and the whole procedure."""
    inner, single = f"inner_{nested.objective.name}", f"outer_single_{nested.objective.name}"
    return {
        "study": nested.study,
        "searches": [
            {
                "study": fold.study,
                "never_saw": list(fold.speakers),
                "best_trial": fold.best_trial,
                inner: fold.inner_score,
                "inner_interval": ends(fold.inner_interval),
                "inner_selection": _selection_record(fold.selection),
                single: fold.outer_single_score,
            }
            for fold in nested.folds
        ],
        "metrics": tracking.score_metrics(nested.outer, nested.folds[0].predictions.names, "outer"),
        "corpora": {found.name: _set_record(found) for found in nested.sets},
        inner: nested.inner_score,
        single: nested.outer_single_score,
        "networks": nested.networks,
        "optimism": nested.optimism,
        "optimism_interval": ends(nested.optimism_interval),
        "fingerprint": nested.protocol.fingerprint,
        "warnings": list(nested.protocol.warnings),
    }


def confirmation_record(found: "Confirmation") -> Record:
    """Candidates on fresh seeds, best first, and the promotion."""
    return {
        "study": found.study,
        "candidates": [
            {
                "trial": candidate.trial,
                "searched": candidate.searched,
                "searched_interval": ends(candidate.searched_interval),
                "mean": candidate.mean,
                "interval": ends(candidate.interval),
                "seeds": list(candidate.scores),
            }
            for candidate in found.candidates
        ],
        "promotion": promotion_record(found.promotion),
    }


def combination_record(found: "Combination") -> Record:
    """Members and the promotion."""
    score = f"validation_{found.promotion.prepared.definition.objective.name}"
    members = [
        {
            "run": run.info.run_id,
            "run_name": run.info.run_name,
            "model": run.data.params["model.name"],
            "features": run.data.params["features.name"],
            score: run.data.metrics[score],
        }
        for run in found.members
    ]
    return {"run": found.run.info.run_id, "members": members, "promotion": promotion_record(found.promotion)}


def comparison_record(found: "Comparison", first: str, second: str) -> Record:
    """Two results by name, the paired test, and the utterances that differ."""
    judged, paired = found.predictions[0][0], found.paired
    ours, theirs = found.predicted
    task, objective, names = found.protocol.task, found.metrics[0], judged.names
    differences: Record = {}
    for name, difference in paired.differences.items():
        differences |= {
            f"{name}_difference": difference.value,
            f"{name}_difference_interval": ends(difference.interval),
        }
    return {
        "a": first,
        "b": second,
        "runs": [[run.info.run_id for run in result.runs] for result in found.results],
        "side": found.side,
        "fingerprint": found.protocol.fingerprint,
        "warnings": found.protocol.warnings,
        objective.name: [scores[f"{found.side}_{objective.name}"] for scores in found.scores],
        **differences,
        "p_value": paired.p_value,
        "test": permutation_test(objective),
        "searched": None if found.choice is None else list(found.choice.searched),
        "p_value_of_the_best": None if found.choice is None else found.choice.p_value,
        "effect_size": paired.effect_size,
        "speakers": paired.n_speakers,
        task.answers: names,
        **({"confusions": [counts.tolist() for counts in found.confusions]} if found.kind.has_classes else {}),
        "differing": [
            {
                "utterance": judged.utterances[index],
                "speaker": judged.speakers[index],
                "truth": task.write(judged.truth[index], names),
                "a": task.write(ours[index], names),
                "b": task.write(theirs[index], names),
            }
            for index in found.differing
        ],
    }


def reproduction_record(outcome: "Reproduction") -> Record:
    """The published number, ours, and the verdict."""
    published, objective = outcome.published, outcome.protocol.objective.name
    numbers = {metric.name: published.score(metric.name)[0] for metric in outcome.protocol.metrics}
    return {
        "published": {"who": published.who, "form": published.form, **numbers},
        "pooled": {objective: outcome.pooled.value, "interval": ends(outcome.pooled.interval)},
        "fold_mean": {objective: outcome.fold_mean.value, "interval": ends(outcome.fold_mean.interval)},
        "seeds": [dict(metric) for metric in outcome.seeds],
        "state": outcome.state,
        "verdict": outcome.verdict,
        "fingerprint": outcome.protocol.fingerprint,
        "warnings": list(outcome.protocol.warnings),
    }


def ablation_records(names: Sequence[str], ablated: "Sequence[Ablated | SerTuneError]") -> list[Mapping[str, object]]:
    """The unchanged configuration and each change."""
    records: list[Mapping[str, object]] = []
    for name, found in zip(names, ablated, strict=True):
        if not isinstance(found, experiments.Ablated):
            records.append({"change": name, "error": str(found)})
            continue
        against = found.against
        records.append(
            {
                "change": name,
                "study": found.study,
                f"validation_{found.protocol.objective.name}": found.mean,
                "interval": ends(found.interval),
                "seeds": list(found.scores),
                "difference": None if against is None else against.primary.value,
                "difference_interval": None if against is None else ends(against.primary.interval),
                "p_value": None if against is None else against.p_value,
                "seconds": found.seconds,
                "fingerprint": found.protocol.fingerprint,
                "warnings": list(found.protocol.warnings),
            }
        )
    return records


def replay_record(outcome: "Replay") -> Record:
    """A trial trained again, compared with the stored found."""
    return {
        "run": outcome.run.info.run_id,
        "identical": outcome.identical,
        "compared": outcome.compared,
        "unequal": list(outcome.unequal),
        "circumstances": list(outcome.circumstances),
    }
