"""Every sampler proposes values of every kind of range, and the same ones again."""

import warnings
from collections.abc import Sequence

import optuna
import pytest

from ser_tune.config import Choice, FloatRange, IntRange, Range, SearchSettings, Value
from ser_tune.coordination import enqueue_unfinished, place_of, take_place
from ser_tune.errors import ConfigError, StudyError
from ser_tune.search import optuna_classes
from ser_tune.search.place_sampler import PlaceSampler, sample
from ser_tune.search.samplers import SAMPLERS

SEARCH: dict[str, Range] = {
    "a.rate": FloatRange(low=1e-4, high=1e-2, log=True),
    "a.dropout": FloatRange(low=0.0, high=0.5),
    "a.frames": IntRange(low=100, high=300, step=50),
    "a.size": IntRange(low=4, high=64, log=True),
    "a.switch": Choice((False, True)),
    "a.name": Choice(("one", "two")),
}


def _sampler(kind: str, seed: int) -> PlaceSampler:
    return PlaceSampler(SearchSettings.model_validate({"sampler": kind, "sampler_seed": seed, "startup_trials": 2}))


def _proposals(
    kind: str,
    *,
    seed: int = 0,
    trials: int = 5,
    interrupted: int | None = None,
    directions: Sequence[str] = ("maximize",),
) -> list[dict[str, Value]]:
    """What is proposed at every place; where the trial of one place is interrupted, by a study that goes on.

    Of a study with two objectives the fourth trial is pruned.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study = optuna.create_study(directions=directions, sampler=_sampler(kind, seed))
        proposals = []
        while len(proposals) < trials:
            trial = study.ask()
            take_place(trial)
            if len(proposals) == interrupted:
                interrupted = None
                sample(trial, dict([*SEARCH.items()][:2]))  # some of the values are drawn
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                study.sampler = _sampler(kind, seed)
                enqueue_unfinished(study)
                continue
            assert place_of(trial) == len(proposals)
            proposals.append(sample(trial, SEARCH))
            if len(directions) > 1 and len(proposals) == 4:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            else:
                values = [0.5 + 0.1 * (len(proposals) % 3), 0.2 * (len(proposals) % 2)]
                study.tell(trial, values[: len(directions)])
    return proposals


@pytest.mark.parametrize("kind", ["tpe", "random", "qmc", "gp", "NSGAIISampler", "QMCSampler", "TPESampler"])
def test_a_sampler_proposes_values_inside_every_range(kind: str) -> None:
    for proposal in _proposals(kind):
        assert set(proposal) == set(SEARCH)
        assert all(SEARCH[path].contains(value) for path, value in proposal.items())


@pytest.mark.parametrize("kind", ["tpe", "random", "NSGAIISampler", pytest.param("gp", marks=pytest.mark.slow)])
def test_with_two_objectives_an_interrupted_study_proposes_what_another_does(kind: str) -> None:
    two = ("maximize", "minimize")
    found = _proposals(kind, trials=7, directions=two)
    assert _proposals(kind, trials=7, interrupted=5, directions=two) == found
    assert all(SEARCH[path].contains(value) for proposal in found for path, value in proposal.items())


@pytest.mark.parametrize("kind", ["tpe", "random", "qmc", "NSGAIISampler"])
def test_the_same_seed_proposes_the_same_values(kind: str) -> None:
    assert _proposals(kind) == _proposals(kind)
    assert _proposals(kind, seed=1) != _proposals(kind)


@pytest.mark.parametrize("kind", ["tpe", "random", "NSGAIISampler", pytest.param("gp", marks=pytest.mark.slow)])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_an_interrupted_study_proposes_what_it_would_have_proposed(kind: str, place: int) -> None:
    assert _proposals(kind, interrupted=place) == _proposals(kind)


@pytest.mark.parametrize("kind", ["tpe", "random", "qmc", "NSGAIISampler", "QMCSampler"])
def test_no_two_trials_draw_the_same_numbers(kind: str) -> None:
    assert len({str(proposal) for proposal in _proposals(kind)}) == 5


def test_a_sampler_of_optuna_starts_at_random_as_long_as_the_settings_ask_for() -> None:
    def _startup(trials: int) -> int:
        settings = SearchSettings(sampler="TPESampler", startup_trials=trials)
        return int(vars(SAMPLERS.get("TPESampler").build(settings, 0))["_n_startup_trials"])

    assert [_startup(3), _startup(30)] == [3, 30]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bayes", "unknown sampler 'bayes'; choose from: BruteForceSampler, CmaEsSampler, .*, gp, qmc, random, tpe"),
        ("CmaESsampler", "did you mean 'CmaEsSampler'"),
        ("BaseSampler", "unknown sampler 'BaseSampler'"),
        ("BaseGASampler", "unknown sampler 'BaseGASampler'"),
        ("nsgaii", "unknown sampler 'nsgaii'"),  # a module
        ("GridSampler", "sampler 'GridSampler' of Optuna needs search_space, which no setting gives; choose another"),
        ("PartialFixedSampler", "needs fixed_params and base_sampler, which no setting gives"),
    ],
)
def test_a_sampler_that_cannot_be_used_is_refused(name: str, message: str) -> None:
    for ask in (SAMPLERS.check, SAMPLERS.get, lambda one: PlaceSampler(SearchSettings(sampler=one))):
        with pytest.raises(ConfigError, match=message):
            ask(name)


def test_a_sampler_that_needs_a_package_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optuna_classes, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="'CmaEsSampler' of Optuna needs the package cmaes, which is not installed"):
        SAMPLERS.check("CmaEsSampler")


@pytest.mark.parametrize("enqueued", [False, True])
def test_ranges_that_a_sampler_refuses_end_the_study_with_a_sentence(enqueued: bool) -> None:
    study = optuna.create_study(sampler=_sampler("BruteForceSampler", 0))
    if enqueued:  # as trial 0 is: the sampler sees the range when the trial ends
        study.enqueue_trial({"a.rate": 0.001})

    def _run() -> None:
        trial = study.ask()
        sample(trial, {"a.rate": SEARCH["a.rate"]})
        study.tell(trial, 0.5)

    with pytest.raises(StudyError, match=r"sampler 'BruteForceSampler' cannot search these ranges: .*step must be giv"):
        _run()
