"""A configuration on several seeds is one result: its mean, wherever a study is asked for by its name."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from mlflow.tracking._tracking_service import utils

from ser_tune.coordination import Rerun, load_study
from ser_tune.errors import RegistryError
from ser_tune.experiments import combine, variant
from ser_tune.metrics import METRICS
from ser_tune.protocol import prepare
from ser_tune.resampling import compare_paired, seed_interval
from ser_tune.results import compare, find_results, leaderboard
from ser_tune.search import run_study
from ser_tune.tasks import TASKS
from ser_tune.tracking import MODEL_TAG, Predictions, TrackingObserver, compare_seeds, find_runs, read_predictions
from tests.project_copies import copy_project

pytestmark = pytest.mark.slow

UAR = METRICS.get("uar")


class Seeds:
    """A configuration on three seeds, of one protocol with the finished study, and that study."""

    def __init__(self, opened: Any, definition: Any) -> None:
        self.workspace, self.project = opened.workspace, opened.project
        prepared = prepare(definition, self.project)
        run_study(prepared, self.project, TrackingObserver(self.workspace), rerun=Rerun(queue=[{}] * 3))
        study, _ = load_study(definition.name, self.project)
        experiment = opened.runs[0].info.experiment_id
        self.runs = find_runs(self.workspace, experiment, study.user_attrs["study_id"])[1]
        self.predictions = [self.read(self.runs[seed]) for seed in range(3)]
        self.mean = np.mean([run.data.metrics["validation_uar"] for run in self.runs.values()])
        self.ids = {run.info.run_id for run in self.runs.values()}

    def read(self, run: Any) -> Predictions:
        found = read_predictions(self.workspace, run, "validation")
        assert found is not None
        return found


@pytest.fixture(scope="module")
def copied(finished: Any, open_study: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The finished study in a project that this file adds to."""
    utils._artifact_repos_cache.clear()  # of the folder that is copied
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ser_tune.tracking.run_metrics.draw_confusion", lambda *_: None)  # pictures take time
        yield open_study(copy_project(finished.root, tmp_path_factory.mktemp("seeds") / "project"))
    utils._artifact_repos_cache.clear()  # of this folder


@pytest.fixture(scope="module")
def seeds(copied: Any, tiny: Callable[..., Any]) -> Seeds:
    definition = variant(tiny(name="three", seed=5, **{"training.epochs": 3}), "three", 3)
    settings = definition.config.study.model_copy(update={"keep_models": "all"})
    return Seeds(copied, replace(definition, config=definition.config.model_copy(update={"study": settings})))


def test_each_is_a_seed_of_one_result(seeds: Seeds) -> None:
    (found,) = find_results(seeds.workspace, "three")
    assert {run.info.run_id for run in found.runs} == seeds.ids
    assert found.mean == pytest.approx(seeds.mean)
    scores = sorted(run.data.metrics["validation_uar"] for run in seeds.runs.values())
    assert len(set(scores)) > 1
    assert found.run.data.metrics["validation_uar"] == scores[1]
    interval = seed_interval(UAR, np.stack([seed.sums(UAR) for seed in seeds.predictions]))
    known = found.scores(seeds.workspace)
    assert known["validation_uar"] == pytest.approx(seeds.mean)
    assert (known["validation_uar_low"], known["validation_uar_high"]) == (interval.low, interval.high)
    (single,) = find_results(seeds.workspace, "three:1")
    assert [run.info.run_id for run in single.runs] == [seeds.runs[1].info.run_id]


def test_compare_takes_the_mean_and_not_the_best_seed(seeds: Seeds, copied: Any) -> None:
    found = compare(seeds.workspace, "three", "first:0", "validation")
    other = copied.runs[0].data.metrics["validation_uar"]
    assert found.paired.primary.value == pytest.approx(seeds.mean - other)
    assert found.scores[0]["validation_uar"] == pytest.approx(seeds.mean)
    assert found.confusions[0].sum() == 3 * 16
    assert len(found.predicted[0]) == 16


def test_the_leaderboard_ranks_the_mean_and_not_the_best_seed(seeds: Seeds, copied: Any) -> None:
    # A study of one trial that is between the mean and the best seed is ranked first
    scores = [run.data.metrics["validation_uar"] for run in seeds.runs.values()]
    between = (seeds.mean + max(scores)) / 2
    for run in copied.runs.values():
        seeds.workspace.client.log_metric(run.info.run_id, "validation_uar", between)
    (entry,) = leaderboard(seeds.workspace).entries
    assert (entry.source, entry.scores["validation_uar"]) == ("study first", between)
    for run in copied.runs.values():
        seeds.workspace.client.log_metric(run.info.run_id, "validation_uar", min(scores) - 0.1)
    (entry,) = leaderboard(seeds.workspace).entries
    assert (entry.source, entry.seeds, entry.trials) == ("study three", 3, 6)
    assert entry.scores["validation_uar"] == pytest.approx(seeds.mean)


def test_combine_takes_all_seeds(seeds: Seeds) -> None:
    found = combine(seeds.workspace, ["three"], name="over-seeds")
    assert {member.info.run_id for member in found.members} == seeds.ids
    seeds.workspace.client.delete_tag(seeds.runs[2].info.run_id, MODEL_TAG)
    with pytest.raises(RegistryError, match=r"the model of three:2 was not kept; .* or name its trials that are kept"):
        combine(seeds.workspace, ["three"])


def test_seeds_are_compared_each_with_each() -> None:
    rng = np.random.default_rng(0)
    truth, speakers = rng.integers(2, size=60), tuple(f"s{number // 10}" for number in range(60))

    def said() -> Predictions:
        names = tuple(map(str, range(60)))
        predicted = np.where(rng.random(60) < 0.7, truth, 1 - truth)
        return Predictions(TASKS.get("classification"), ("anger", "joy"), names, speakers, truth, predicted)

    ours, theirs = [said(), said(), said()], [said(), said()]
    metrics = [UAR, METRICS.get("wa")]
    found = compare_seeds(ours, theirs, metrics)
    means = [np.mean([UAR.score(seed.truth, seed.predicted, 2) for seed in seeds]) for seeds in (ours, theirs)]
    assert found.primary.value == pytest.approx(means[0] - means[1])
    alone = compare_seeds(ours[:1], theirs[:1], metrics)
    assert alone == compare_paired(
        truth, [ours[0].predicted], [theirs[0].predicted], ours[0].speaker_numbers, metrics, 2
    )
    assert compare_seeds(ours, ours, metrics).p_value == 1.0
