"""What pruning costs and saves: thousands of studies simulated on recorded learning curves of real trials.

A study draws configurations from the table, sees the curves of one of their two seeds, which chance decides for each,
and selects the complete trial of the highest pooled UAR. The selected configuration's UAR on its other seed is the
study's score. TPE's proposal is replaced by the nearest configuration that the study has not tried.

Confirmation spends a share of the budget on fresh seeds of the best trials, as `study.confirm`. The table has no third
seed, so what a configuration is expected to score is drawn from what its two seeds tell of it, and fresh seeds around
that. Regret in expected UAR is the distance to the configuration of which most is expected.

The constants of `study/pruners/racing.py` were chosen by survival and saving on the even configurations; survival and
saving are measured on the odd ones, scores on all.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import TrialState, create_trial

from ser_tune.config import Choice, FloatRange, Range, Value
from ser_tune.definition import Plan

from .rows import Options, Row, definition
from .rules import RULES, Rule
from .table import Seen, Table, Truth

__all__ = ["measure"]

BUDGETS = (10, 20, 30, 40, 50)
"""In full trials."""
STUDIES = {"random": 1000, "tpe": 100}
UNTUNED = slice(1, None, 2)
"""Configurations on which no constant was chosen."""
STARTUP = 8
"""Random trials of TPE, as `study.startup_trials`."""
SHIFTS = {"0.02 better": 0.02, "equal": 0.0, "0.02 worse": -0.02, "0.05 worse": -0.05}
"""How much better a trial is than the best one that the study has: its other seed's curves, raised or lowered."""
STATES = (10, 20, 30, 40)
"""After so many trials."""
SAVED_TRIALS = 50
"""Of a study, or all that there are, on which saving is measured."""


@dataclass(frozen=True)
class Study:
    """A simulated study: what it tried, and how far."""

    tried: list[int]
    """Configurations, in order."""
    spent: list[int]
    """Epochs after each of them, over all trials so far."""
    complete: list[bool]


Proposals = Callable[[Study], Iterator[int]]
"""From a study, as it goes on, to the configurations that it tries."""


def simulate(seen: Seen, rule: Rule, proposals: Proposals, *, budget: float) -> Study:
    """Run a study until it has spent as many epochs as so many full trials take, or tried everything."""
    study = Study([], [], [])
    survivors: list[int] = []
    total = 0
    for number in proposals(study):
        judge = rule.judge(seen.curves[survivors], seen.values[survivors], len(study.tried))
        given_up = None if judge is None else judge(seen.curves[number])
        total += seen.full if given_up is None else given_up
        study.tried.append(number)
        study.spent.append(total)
        study.complete.append(given_up is None)
        if given_up is None:
            survivors.append(number)
        if total >= budget * seen.full:
            break
    return study


def complete_within(seen: Seen, study: Study, epochs: int) -> list[int]:
    """The complete trials within so many epochs, best first."""
    able = [
        number
        for number, spent, complete in zip(study.tried, study.spent, study.complete, strict=True)
        if complete and spent <= epochs
    ]
    return sorted(able, key=lambda number: -float(seen.values[number]))


def selected(seen: Seen, study: Study, epochs: int) -> int | None:
    """The best complete trial within so many epochs."""
    return next(iter(complete_within(seen, study, epochs)), None)


def confirmed(seen: Seen, study: Study, plan: Plan, truth: Truth, rng: np.random.Generator) -> int | None:
    """Of the best complete trials of a plan's search, the best on fresh seeds."""
    able = complete_within(seen, study, plan.searched * seen.full)[: max(1, plan.confirmed - 2)]
    fresh = truth.expected[able, None] + rng.normal(0, truth.deviation, size=(len(able), max(1, plan.seeds)))
    return able[int(fresh.mean(axis=1).argmax())] if able else None


def survived(seen: Seen, rule: Rule, study: Study) -> Mapping[str, list[bool]]:
    """Whether trials truly better, equal and worse than a study's best run to the end, after 10, 20, 30 and 40 trials.

    Trials that run to the end whatever happens are left out.
    """
    found: dict[str, list[bool]] = {name: [] for name in SHIFTS}
    for trials in STATES:
        if trials > len(study.tried):
            break
        done = [number for number, complete in zip(study.tried[:trials], study.complete, strict=False) if complete]
        judge = rule.judge(seen.curves[done], seen.values[done], len(done))
        if judge is None:
            continue
        other = seen.other_curves[max(done, key=lambda number: float(seen.values[number]))]
        for name, shift in SHIFTS.items():
            found[name].append(judge(np.clip(other + shift, 0, 1)) is None)
    return found


def saved(seen: Seen, study: Study) -> float:
    """Share of the training that pruning saved, over a study's first trials."""
    trials = min(SAVED_TRIALS, len(study.tried))
    return 1 - study.spent[trials - 1] / (trials * seen.full)


def measure(options: Options) -> list[Row]:
    """Second-seed UAR and regret against budget, training saved, and survival, for every sampler and rule."""
    table = Table.read()
    rows = [Row("configurations", len(table.values), "")]
    for sampler, number in STUDIES.items():
        draws = range(3 if options.quick else number)
        rows += _scores(table, sampler, draws)
    for name, rule in RULES[1:]:
        rows += _pruned(table, name, rule, range(3 if options.quick else STUDIES["random"]))
    return rows


def _scores(table: Table, sampler: str, draws: range) -> Iterator[Row]:
    """What each rule's studies select within each budget, beside studies without pruning."""
    names = [name for name, _ in RULES]
    plans = [definition({"model.name": "light_cnn", "study.trials": budget}).plan for budget in BUDGETS]
    regrets = np.zeros((len(RULES), len(BUDGETS), len(draws)))
    scores, floors = np.zeros_like(regrets), []
    expected = np.zeros((len(RULES) + 1, len(BUDGETS), len(draws)))
    for draw in draws:
        seen = table.seen(np.random.default_rng([draw, 0]))
        best = seen.other_values.max()
        floors.append(float(best - seen.other_values[seen.values.argmax()]))
        truth, fresh = table.truth(np.random.default_rng([draw, 3])), np.random.default_rng([draw, 4])
        for place, (_, rule) in enumerate(RULES):
            rng = np.random.default_rng([draw, 1])
            proposals = nearest_to_tpe(table, seen, rng) if sampler == "tpe" else at_random(seen, rng)
            study = simulate(seen, rule, proposals, budget=max(BUDGETS))
            chosen = [selected(seen, study, budget * seen.full) for budget in BUDGETS]
            scores[place, :, draw] = _of(seen.other_values, chosen)
            regrets[place, :, draw] = best - scores[place, :, draw]
            expected[place, :, draw] = truth.expected.max() - _of(truth.expected, chosen)
        chosen = [confirmed(seen, study, plan, truth, fresh) for plan in plans]  # the last rule's study: racing
        expected[-1, :, draw] = truth.expected.max() - _of(truth.expected, chosen)
    yield Row(f"{sampler}, all configurations in full: regret", float(np.mean(floors)), "UAR")
    mean_scores, mean_regrets = np.nanmean(scores, axis=-1), np.nanmean(regrets, axis=-1)
    mean_expected = np.nanmean(expected, axis=-1)
    for place, budget in enumerate(BUDGETS):
        unpruned = float(mean_regrets[0, place])
        for of_rule, name in enumerate(names):
            what = f"{sampler}, {budget} full trials, {name}"
            half = unpruned / 2 if of_rule else None
            yield Row(f"{what}: second-seed UAR", float(mean_scores[of_rule, place]), "UAR")
            yield Row(f"{what}: regret", float(mean_regrets[of_rule, place]), "UAR", plain=unpruned, below=half)
        unpruned = float(mean_expected[0, place])
        for of_rule, name in enumerate([*names, f"{names[-1]} and confirmation"]):
            what = f"{sampler}, {budget} full trials, {name}: regret in expected UAR"
            half = unpruned / 2 if of_rule else None
            yield Row(what, float(mean_expected[of_rule, place]), "UAR", plain=unpruned, below=half)


def _of(values: np.ndarray, chosen: Sequence[int | None]) -> np.ndarray:
    return np.array([np.nan if one is None else values[one] for one in chosen])


def _pruned(table: Table, name: str, rule: Rule, draws: range) -> Iterator[Row]:
    """What a rule saves, and whom it spares."""
    savings: list[float] = []
    lived: dict[str, list[bool]] = {shift: [] for shift in SHIFTS}
    for draw in draws:
        rng = np.random.default_rng([draw, 2])
        seen = table.seen(rng, UNTUNED)
        study = simulate(seen, rule, at_random(seen, rng), budget=math.inf)
        savings.append(saved(seen, study))
        for shift, found in survived(seen, rule, study).items():
            lived[shift] += found
    yield Row(f"{name}: training saved", 100 * float(np.mean(savings)), "%", at_least=40)
    for shift, goal in zip(SHIFTS, (80, 50, None, None), strict=True):
        yield Row(f"{name}: {shift} survives", 100 * float(np.mean(lived[shift])), "%", at_least=goal)


def at_random(seen: Seen, rng: np.random.Generator) -> Proposals:
    """Every configuration once."""
    order: list[int] = rng.permutation(len(seen.values)).tolist()
    return lambda _: iter(order)


def nearest_to_tpe(table: Table, seen: Seen, rng: np.random.Generator) -> Proposals:
    """Propose with Optuna's TPE, and take the nearest configuration that was not tried."""
    return lambda study: _tpe(table, seen, rng, study)


def _tpe(table: Table, seen: Seen, rng: np.random.Generator, study: Study) -> Iterator[int]:
    space = {path: _distribution(span) for path, span in table.search.items()}
    places = np.array([_place(one, table.search) for one in table.configurations])
    sampler = TPESampler(n_startup_trials=STARTUP, multivariate=True, seed=int(rng.integers(2**31)))
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    optuna_study = optuna.create_study(direction="maximize", sampler=sampler)
    left = rng.permutation(len(seen.values)).tolist()
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
        folds = max(1, spent // seen.curves.shape[2])
        optuna_study.add_trial(
            create_trial(
                state=TrialState.COMPLETE if study.complete[-1] else TrialState.PRUNED,
                value=float(seen.values[number]) if study.complete[-1] else None,
                params=table.configurations[number],
                distributions=space,
                intermediate_values={folds: float(seen.curves[number, :folds, -1].mean())},
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
