"""What pruning costs and saves: thousands of studies simulated on recorded learning curves of real trials.

A study draws configurations from the table, sees their curves of one seed, and selects the complete trial of the
highest pooled UAR. The selected configuration's UAR on the other seed is its score. TPE's proposal is replaced by the
nearest configuration that the study has not tried.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import TrialState, create_trial

from ser_tune.config import Choice, FloatRange, Range, Value

from .rows import Options, Row
from .rules import RULES, Rule, epochs_of
from .table import Table

__all__ = ["measure"]

BUDGETS = (10, 20, 30, 40, 50)
"""In full trials."""
STUDIES = {"random": 1000, "tpe": 100}
SEED = 1
"""What studies see; the constants of `study/pruning.py` were chosen on studies that see seed 0."""
STARTUP = 8
"""Random trials of TPE, as `study.startup_trials`."""
SHIFTS = {"0.02 better": 0.02, "equal": 0.0, "0.02 worse": -0.02, "0.05 worse": -0.05}
"""How much better a trial is than the best one that the study has: its other seed's curves, raised or lowered."""
STATES = (10, 20, 30, 40)
"""After so many trials."""
MEASURED_TRIALS = 50
"""Of a study, which the share of training that is saved is measured on."""


@dataclass(frozen=True)
class Study:
    """A simulated study: what it tried, and how far."""

    tried: list[int]
    """Configurations, in order."""
    spent: list[int]
    """Epochs after each of them, over all trials so far."""
    complete: list[bool]


def simulate(table: Table, seed: int, rule: Rule, rng: np.random.Generator, *, tpe: bool, budget: int) -> Study:
    """Run a study until it has spent as many epochs as so many full trials take, or tried everything."""
    curves, values, full = table.curves[:, seed], table.values[:, seed], epochs_of(table)
    study = Study([], [], [])
    proposals = _tpe(table, seed, rng, study, curves) if tpe else iter(rng.permutation(len(curves)).tolist())
    survivors: list[int] = []
    total = 0
    for number in proposals:
        judge = rule.judge(curves[survivors], values[survivors], len(study.tried))
        given_up = None if judge is None else judge(curves[number])
        total += full if given_up is None else given_up
        study.tried.append(number)
        study.spent.append(total)
        study.complete.append(given_up is None)
        if given_up is None:
            survivors.append(number)
        if total >= budget * full:
            break
    return study


def selected(table: Table, seed: int, study: Study, epochs: int) -> int | None:
    """The best complete trial within so many epochs."""
    able = [
        number
        for number, spent, complete in zip(study.tried, study.spent, study.complete, strict=True)
        if complete and spent <= epochs
    ]
    return max(able, key=lambda number: table.values[number, seed], default=None)


def survived(table: Table, seed: int, rule: Rule, study: Study) -> Mapping[str, list[bool]]:
    """Whether trials truly better, equal and worse than a study's best run to the end, after 10, 20, 30 and 40 trials.

    Trials that run to the end whatever happens are left out.
    """
    curves, values = table.curves[:, seed], table.values[:, seed]
    found: dict[str, list[bool]] = {name: [] for name in SHIFTS}
    for trials in STATES:
        done = [number for number, complete in zip(study.tried[:trials], study.complete, strict=False) if complete]
        judge = rule.judge(curves[done], values[done], len(done))
        if judge is None:
            continue
        other = table.curves[max(done, key=lambda number: values[number]), 1 - seed]
        for name, shift in SHIFTS.items():
            found[name].append(judge(np.clip(other + shift, 0, 1)) is None)
    return found


def measure(options: Options) -> list[Row]:
    """Second-seed UAR and regret against budget, training saved, and survival, for every sampler and rule."""
    table = Table.read()
    judged = table.values[:, 1 - SEED]
    floor = float(judged.max() - judged[table.values[:, SEED].argmax()])
    rows = [
        Row("configurations", len(judged), ""),
        Row("best second-seed UAR", float(judged.max()), "UAR"),
        Row("regret of the best by the first seed", floor, "UAR"),
    ]
    for sampler, number in STUDIES.items():
        studies = {
            name: [
                simulate(table, SEED, rule, np.random.default_rng(one), tpe=sampler == "tpe", budget=max(BUDGETS))
                for one in range(3 if options.quick else number)
            ]
            for name, rule in RULES
        }
        rows += _scores(table, sampler, studies)
        for name, rule in RULES[1:]:
            rows += _pruned(table, f"{sampler}, {name}", rule, studies[name])
    return rows


def _scores(table: Table, sampler: str, studies: Mapping[str, list[Study]]) -> Iterator[Row]:
    """What each rule's studies selected within each budget, beside the first rule's."""
    judged, unpruned = table.values[:, 1 - SEED], next(iter(studies))
    for budget in BUDGETS:
        regrets = {}
        for name, of_rule in studies.items():
            chosen = [selected(table, SEED, one, budget * epochs_of(table)) for one in of_rule]
            score = float(np.mean([judged[one] for one in chosen if one is not None]))
            regrets[name] = float(judged.max()) - score
            half = None if name == unpruned else regrets[unpruned] / 2
            what = f"{sampler}, {budget} full trials, {name}"
            yield Row(f"{what}: second-seed UAR", score, "UAR")
            yield Row(f"{what}: regret", regrets[name], "UAR", plain=regrets[unpruned], below=half)


def _pruned(table: Table, what: str, rule: Rule, studies: list[Study]) -> Iterator[Row]:
    """What a rule saves, and whom it spares."""
    saved = 100 * float(np.mean([_saved(one, epochs_of(table)) for one in studies]))
    yield Row(f"{what}: training saved", saved, "%", at_least=40)
    survival = [survived(table, SEED, rule, one) for one in studies]
    for shift, goal in zip(SHIFTS, (80, 50, None, None), strict=True):
        if lived := [one for of_study in survival for one in of_study[shift]]:
            yield Row(f"{what}: {shift} survives", 100 * float(np.mean(lived)), "%", at_least=goal)


def _saved(study: Study, full: int) -> float:
    """Share of the training that pruning saved, over a study's first trials."""
    trials = min(MEASURED_TRIALS, len(study.tried))
    return 1 - study.spent[trials - 1] / (trials * full)


def _tpe(table: Table, seed: int, rng: np.random.Generator, study: Study, curves: np.ndarray) -> Iterator[int]:
    """Propose with Optuna's TPE, and take the nearest configuration that was not tried."""
    space = {path: _distribution(span) for path, span in table.search.items()}
    places = np.array([_place(one, table.search) for one in table.configurations])
    sampler = TPESampler(n_startup_trials=STARTUP, multivariate=True, seed=int(rng.integers(2**31)))
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    optuna_study = optuna.create_study(direction="maximize", sampler=sampler)
    left = rng.permutation(len(curves)).tolist()
    while left:
        if len(study.tried) < STARTUP:
            number = left[0]
        else:
            proposal = optuna_study.ask(space)
            optuna_study.tell(proposal, state=TrialState.FAIL)  # TPE learns from what was trained in its place
            distances = np.square(places[left] - _place(proposal.params, table.search)).sum(axis=1)
            number = left[int(distances.argmin())]
        left.remove(number)
        yield number
        spent = study.spent[-1] - (study.spent[-2] if len(study.spent) > 1 else 0)
        folds = max(1, spent // curves.shape[2])
        optuna_study.add_trial(
            create_trial(
                state=TrialState.COMPLETE if study.complete[-1] else TrialState.PRUNED,
                value=table.values[number, seed] if study.complete[-1] else None,
                params=table.configurations[number],
                distributions=space,
                intermediate_values={folds: float(curves[number, :folds, -1].mean())},
            )
        )


def _distribution(span: Range) -> BaseDistribution:
    if isinstance(span, Choice):
        return CategoricalDistribution(span.choices)
    if isinstance(span, FloatRange):
        return FloatDistribution(span.low, span.high, log=span.log)
    return IntDistribution(span.low, span.high, log=span.log, step=span.step)


def _place(values: Mapping[str, Value], search: Mapping[str, Range]) -> np.ndarray:
    """A configuration as a point of the unit cube."""
    point = []
    for path, span in search.items():
        value = values[path]
        if isinstance(span, Choice):
            point.append(span.choices.index(value) / max(1, len(span.choices) - 1))
        else:
            assert isinstance(value, int | float)
            low, high, here = (np.log(x) if span.log else x for x in (span.low, span.high, value))
            point.append((here - low) / (high - low))
    return np.array(point)
