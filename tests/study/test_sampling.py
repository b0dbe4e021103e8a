"""Every sampler proposes values of every kind of range, and the same ones again."""

import warnings

import optuna
import pytest

from ser_tune.config import Choice, FloatRange, IntRange, Range, SearchSettings, Value
from ser_tune.study.sampling import build_sampler, sample

SEARCH: dict[str, Range] = {
    "a.rate": FloatRange(low=1e-4, high=1e-2, log=True),
    "a.dropout": FloatRange(low=0.0, high=0.5),
    "a.frames": IntRange(low=100, high=300, step=50),
    "a.size": IntRange(low=4, high=64, log=True),
    "a.switch": Choice((False, True)),
    "a.name": Choice(("one", "two")),
}


def _proposals(kind: str, *, seed: int = 0, trials: int = 5, before: int = 0) -> list[dict[str, Value]]:
    settings = SearchSettings.model_validate({"sampler": kind, "sampler_seed": seed, "startup_trials": 2})
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study = optuna.create_study(direction="maximize", sampler=build_sampler(settings, before))
        proposals = []
        for number in range(trials):
            trial = study.ask()
            proposals.append(sample(trial, SEARCH))
            study.tell(trial, 0.5 + 0.1 * (number % 3))
    return proposals


@pytest.mark.parametrize("kind", ["tpe", "random", "qmc", "gp"])
def test_a_sampler_proposes_values_inside_every_range(kind: str) -> None:
    for proposal in _proposals(kind):
        assert set(proposal) == set(SEARCH)
        assert all(SEARCH[path].contains(value) for path, value in proposal.items())


@pytest.mark.parametrize("kind", ["tpe", "random", "qmc"])
def test_the_same_seed_proposes_the_same_values(kind: str) -> None:
    assert _proposals(kind) == _proposals(kind)
    assert _proposals(kind, seed=1) != _proposals(kind)


@pytest.mark.parametrize("kind", ["tpe", "random"])
def test_a_resumed_study_does_not_draw_the_same_numbers_again(kind: str) -> None:
    assert _proposals(kind, trials=2) != _proposals(kind, trials=2, before=2)
