"""Search ranges that end where the best trials lie; and stored studies, which go on with their own ranges."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ser_tune.config import Choice, FloatRange, IntRange, Range, Value
from ser_tune.coordination import load_study
from ser_tune.definition import StudyDefinition
from ser_tune.errors import StudyError
from ser_tune.protocol import prepare
from ser_tune.results import StudyTrial, edges_of, trials_table
from ser_tune.search import define_study, run_study

DROPOUT = FloatRange(low=0.0, high=0.6)
RATE = FloatRange(low=1e-4, high=1e-2, log=True)
MAPS = IntRange(low=8, high=64, step=8)


@pytest.fixture
def definition(tiny: Callable[..., Any]) -> StudyDefinition:
    found: StudyDefinition = tiny(**{"model.name": "alex_net"})
    return found


def _trials(values: Sequence[Mapping[str, Value]]) -> list[StudyTrial]:
    """Trials with scores that fall from the first to the last."""
    return [
        StudyTrial(number=number, state="COMPLETE", score=0.9 - 0.01 * number, seconds=1.0, values=value)
        for number, value in enumerate(values)
    ]


def _edges(definition: StudyDefinition, path: str, span: Range, values: Sequence[Value]) -> list[tuple[str, Value]]:
    searched = replace(definition, search={path: span})
    return [(edge.path, edge.end) for edge in edges_of(searched, _trials([{path: value} for value in values]))]


MIDDLE = [1e-3] * 7


@pytest.mark.parametrize(
    ("values", "end"),
    [
        ([9.5e-3, *MIDDLE], 1e-2),
        ([1.1e-4, *MIDDLE], 1e-4),
        ([5e-3, *MIDDLE], None),  # half of the numbers, but a sixth of the logarithms
        ([1e-3, 1e-2, 9.9e-3, 9.8e-3, 1e-3, 1e-3, 1e-3, 1e-3], 1e-2),  # most of the best five
        ([1e-3, 1e-2, 9.9e-3, 1e-3, 1e-3, 1e-2, 1e-2, 1e-2], None),
        ([2e-2, *MIDDLE], 1e-2),  # a published configuration beyond it
        ([9.5e-3, 1e-3], None),  # too few trials to tell
    ],
)
def test_the_winner_or_most_of_the_best_near_an_end_of_a_logarithmic_range(
    definition: StudyDefinition, values: list[float], end: float | None
) -> None:
    path = "optimizer.learning_rate"
    assert _edges(definition, path, RATE, values) == ([] if end is None else [(path, end)])


def test_what_cannot_be_beyond_is_no_edge(definition: StudyDefinition) -> None:
    path = "training.gradient_clip_norm"
    assert _edges(definition, path, DROPOUT, [0.0] * 8) == []  # 0 is the least that the setting can be
    assert _edges(definition, path, DROPOUT, [0.6] * 8) == [(path, 0.6)]
    assert _edges(definition, "training.batch_size", MAPS, [64, *[32] * 7]) == [("training.batch_size", 64)]
    assert _edges(definition, "training.batch_size", IntRange(low=2, high=64), [2] * 8) == []
    assert _edges(definition, "training.schedule", Choice(("cosine", "constant")), ["cosine"] * 8) == []


def test_pruned_and_confirming_trials_have_no_say(definition: StudyDefinition) -> None:
    path = "optimizer.learning_rate"
    trials = _trials([{path: value} for value in (1e-2, *MIDDLE, 1e-3)])
    searching = replace(definition, search={path: RATE})
    assert [edge.path for edge in edges_of(searching, trials)] == [path]
    for other in (replace(trials[0], confirms=1), replace(trials[0], state="PRUNED", score=None)):
        assert edges_of(searching, [other, *trials[1:]]) == []


@pytest.mark.usefixtures("plugged")
@pytest.mark.parametrize("objective", ["error", "shortfall", "wa"])
def test_the_best_trials_are_so_by_the_objectives_direction(tiny: Callable[..., Any], objective: str) -> None:
    """Scores that mean the same have the same edges, whether low, negative or high is good."""
    of = {"wa": lambda wa: wa, "error": lambda wa: 1 - wa, "shortfall": lambda wa: wa - 1}[objective]
    path = "training.gradient_clip_norm"
    definition = tiny(**{"model.name": "alex_net", "study.objectives": [objective]})
    trials = [
        StudyTrial(number=number, state="COMPLETE", score=of(0.01 * number), seconds=1.0, values={path: value})
        for number, value in enumerate([0.3] * 8 + [0.6])
    ]
    (edge,) = edges_of(replace(definition, search={path: DROPOUT}), trials)
    assert (edge.end, edge.value) == (0.6, 0.6)
    table = trials_table(trials, definition.objective)
    assert table[f"validation_{objective}"].tolist() == [trial.score for trial in trials]


def test_an_edge_in_words(definition: StudyDefinition) -> None:
    path = "optimizer.learning_rate"
    (edge,) = edges_of(replace(definition, search={path: RATE}), _trials([{path: rate} for rate in (9.9e-3, *MIDDLE)]))
    assert str(edge) == (
        "the best trials lie at an end of the range of optimizer.learning_rate: best trial 0.0099, range 0.0001 … 0.01 "
        "(log); better values may lie beyond 0.01, which needs a wider range under `search:` of a study file"
    )


@pytest.mark.slow
def test_a_stored_study_goes_on_with_its_own_ranges(corpus_csv: Path, project: Any, recorder: Any) -> None:
    """Default ranges may change with ser-tune; a range that the user writes must be the stored one."""
    flags: dict[str, object] = {"model.name": "linear_probe", "features.name": "logmelspec", "name": "one"}
    flags |= {"corpus.name": "manifest", "corpus.data": corpus_csv}
    now = define_study(None, flags=flags | {"study.trials": 12})
    earlier = FloatRange(low=0.01, high=0.02, log=True)
    before = replace(now, search={**now.search, "model.penalty": earlier})
    before = replace(before, config=before.config.model_copy(update={"study": _trials_of(before, 1)}))
    run_study(prepare(before, project), project, recorder)
    assert run_study(prepare(now, project), project, recorder).complete == 12
    study, stored = load_study("one", project)
    assert stored.search["model.penalty"] == earlier
    assert {trial.params["model.penalty"] for trial in study.trials[1:]}
    assert all(0.01 <= trial.params["model.penalty"] <= 0.02 for trial in study.trials)
    wanted = {"model.penalty": FloatRange(low=0.5, high=1.0, log=True)}
    written = now.config.model_copy(update={"search": wanted})
    other = replace(now, config=written, search={**now.search, **wanted})
    with pytest.raises(StudyError, match=r"study 'one' exists and differs: search\.model\.penalty\.high is 1\.0, not"):
        run_study(prepare(other, project), project, recorder)


def _trials_of(definition: StudyDefinition, trials: int) -> Any:
    return definition.config.study.model_copy(update={"trials": trials})
