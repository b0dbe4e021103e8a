"""Going on with a study that the database has: the same study, or a refusal with the difference."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from ser_tune.coordination import load_study, open_storage
from ser_tune.errors import StudyError
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.search import StudyObserver, StudySummary, run_study

Run = Callable[..., StudySummary]


@pytest.fixture(scope="module")
def stored(new_project: Callable[[str], Project], tiny: Callable[..., Any]) -> Run:
    """Go on with a study of one trial that ended earlier."""
    project = new_project("stored")

    def _run(trials: int, **settings: object) -> StudySummary:
        quick = {"training.epochs": 1, "training.batch_size": 4, "study.trials": trials, "name": "one"}
        return run_study(prepare(tiny(**(quick | settings)), project), project, StudyObserver())

    assert _run(1).complete == 1
    return _run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "value", "difference"),
    [
        ("protocol.aggregation", "mean_probability", "aggregation is 'mean_probability', not 'mean_log_softmax'"),
        ("protocol.folds", 4, "folds is '4: .*', not '3: "),
        ("protocol.fold_limit", 2, "folds is '2: .*', not '3: "),
        ("protocol.holdout", ("dan",), "holdout is 'dan', not 'none'"),
        ("protocol.merge", ("joy=happiness",), "corpus_digest is .*merged is 'joy=happiness', not 'none'"),
        ("normalisation.scope", "utterance", "normalisation_scope is 'utterance', not 'train'"),
        ("model.name", "fcn_attention", "model.name is 'fcn_attention', not 'alex_net'"),
        ("model.dropout", 0.3, "model.dropout is 0.3, not 0.0"),
        ("training.epochs", 2, "training.epochs is 2, not 1"),
        ("optimizer.learning_rate", 0.01, "optimizer.learning_rate is 0.01, not 0.003"),
        ("seed", 3, "seed is 3, not 0"),
    ],
)
def test_another_study_of_the_same_name_is_refused_with_the_difference(
    stored: Run, path: str, value: object, difference: str
) -> None:
    with pytest.raises(StudyError, match=f"study 'one' exists and differs: .*{difference}"):
        stored(2, **{path: value})


def test_another_corpus_is_refused_with_the_difference(
    stored: Run, make_corpus: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(StudyError, match="corpus_digest is "):
        stored(2, **{"corpus.data": make_corpus(tmp_path / "other", seed=1)})
    assert stored(1).complete == 1


@pytest.mark.slow
def test_how_the_search_goes_about_it_may_change(run: Run) -> None:
    run(1)
    other = {"study.sampler": "random", "study.pruner": "racing", "study.keep_models": 1, "study.promotion": "always"}
    assert run(2, **other).complete == 2


def test_a_study_that_is_not_ours_is_refused(run: Run, project: Project) -> None:
    theirs = optuna.create_study(study_name="one", storage=open_storage(project), direction="maximize")
    theirs.optimize(lambda trial: 0.5, n_trials=1)
    with pytest.raises(StudyError, match="study 'one' was not made by ser-tune"):
        run(1)
    with pytest.raises(StudyError, match="was not made by ser-tune"):
        load_study("one", project)
