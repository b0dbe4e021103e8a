"""`ser-tune ablate`: single changes, each beside the unchanged configuration, over several seeds."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from mlflow import MlflowClient

from ser_tune.errors import NonFiniteLossError
from ser_tune.experiments import variant
from ser_tune.metrics import METRICS
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.resampling import compare_paired
from ser_tune.search import StudyObserver
from ser_tune.tracking import Workspace

Call = Callable[..., Any]
QUICK = ("--set", "training.epochs=1", "--set", "training.batch_size=8", "--name", "small")
CHANGES = ("--change", "optimizer.learning_rate=0.3,optimizer.name=sgd", "--change", "normalisation.scope=utterance")


def _ablated(*arguments: Any) -> list[Any]:
    from ser_tune.experiments import ablate

    return list(ablate(*arguments))


@pytest.mark.slow
def test_changes_are_trained_once_on_the_same_seeds_and_compared(
    call: Call, root: Path, study_file: Path, corpus_csv: Path
) -> None:
    command = ("ablate", study_file, "--corpus", "manifest", "--data", corpus_csv, "--seeds", "2", *QUICK)
    told = call(root, *command, *CHANGES, "--format", "markdown")
    assert told.code == 0, told.err
    header, _, *lines = ([cell.strip() for cell in line.strip("|\n").split("|")] for line in told.out.splitlines())
    rows = [dict(zip(header, line, strict=True)) for line in lines]
    assert [row["change"] for row in rows] == ["unchanged", CHANGES[1], f"{CHANGES[3]} (another protocol)"]
    assert rows[0]["difference [95 %]"] == rows[0]["p"] == ""
    storage = f"sqlite:///{root}/studies/optuna.db"
    names = ["small-ablate", f"small-ablate {CHANGES[1]}", f"small-ablate {CHANGES[3]}"]
    assert sorted(optuna.get_all_study_names(storage)) == sorted(names)
    for name, row in zip(names, rows, strict=True):
        trials = optuna.load_study(study_name=name, storage=storage).trials
        scores = [trial.value or 0.0 for trial in trials]
        assert row["of each seed"] == " ".join(f"{score:.3f}" for score in scores)
        assert row["validation UAR [95 %]"].startswith(f"{np.mean(scores):.4f}"[:5])
    again = call(root, *command, *CHANGES, "--format", "markdown")  # everything is there already
    assert again.out == told.out
    assert call(root, "models").out == ""  # nothing is registered
    assert optuna.load_study(study_name="small-ablate", storage=storage).trials[-1].number == 1


@pytest.mark.slow
def test_the_difference_is_that_of_all_seeds_paired_by_utterance(
    tiny: Callable[..., Any], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune.tracking import TrackingObserver, find_runs, read_predictions

    workspace = Workspace(project)
    studies = []
    for name, rate in (("base", 0.003), ("fast", 0.03)):
        definition = tiny(name=name, **{"training.epochs": 1, "optimizer.learning_rate": rate})
        studies.append(prepare(variant(definition, name, 2), project))
    base, fast = _ablated(workspace, studies, lambda: nullcontext(TrackingObserver(workspace)))
    assert base.against is None
    assert fast.against is not None
    read: dict[str, list[Any]] = {}
    (experiment,) = workspace.client.search_experiments(filter_string="name = 'manifest'")
    for trained in (base, fast):
        study_id = optuna.load_study(study_name=trained.study, storage=project.storage_url).user_attrs["study_id"]
        _, runs = find_runs(workspace, experiment.experiment_id, study_id)
        read[trained.study] = [read_predictions(workspace, runs[number], "validation") for number in (0, 1)]
        assert trained.seconds == pytest.approx(sum(run.data.metrics["trial_seconds"] for run in runs.values()))
    truth, ours, theirs, speakers = (
        np.concatenate([getattr(seed, what) for seed in read[name]])
        for name, what in (
            ("base", "truth"),
            ("fast", "predicted"),
            ("base", "predicted"),
            ("base", "speaker_numbers"),
        )
    )
    metrics = [METRICS.get("uar"), METRICS.get("wa")]
    assert fast.against == compare_paired(truth, [ours], [theirs], speakers, metrics, 2)
    assert fast.against.primary.value == pytest.approx(fast.mean - base.mean)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to change; pass --change PATH=VALUE, such as augmentation.mixup=true"),
        (("--change", "augmentation.mixup=maybe"), "error: --change or a flag: augmentation.mixup is 'maybe'"),
        (("--change", "augmentation.mixup"), "error: --change 'augmentation.mixup' is not an assignment"),
        (("--change", "seed=1", "--set", "seed"), "error: --set 'seed' is not an assignment"),
        (("--change", "training.epochs=2", "--format", "html"), "--format is 'html'; choose from: table, markdown"),
    ],
)
def test_a_mistake_ends_with_2_before_anything_is_trained(
    call: Call, root: Path, study_file: Path, corpus_csv: Path, arguments: tuple[str, ...], message: str
) -> None:
    told = call(root, "ablate", study_file, "--corpus", "manifest", "--data", corpus_csv, *arguments)
    assert (told.code, told.out) == (2, "")
    assert message in " ".join(told.err.replace("│", " ").split())
    assert optuna.get_all_study_names(f"sqlite:///{root}/studies/optuna.db") == []


@pytest.mark.slow
def test_an_interrupted_training_ends_the_ablation(
    tiny: Callable[..., Any], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune.training import job

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "fit", interrupted)
    studies = [prepare(tiny(name="base").without_search(), project)]
    with pytest.raises(KeyboardInterrupt):
        _ablated(Workspace(project), studies, lambda: nullcontext(StudyObserver()))


@pytest.mark.parametrize(
    ("change", "assignments"),
    [
        ("a=1", ["a=1"]),
        ("a.b=1,c.d_e=x", ["a.b=1", "c.d_e=x"]),
        ("model.x=[1,2], a=3", ["model.x=[1,2]", " a=3"]),
        ("protocol.merge=[b=c,d=e],a=[3]", ["protocol.merge=[b=c,d=e]", "a=[3]"]),
        ("a={b: 1, c: 2},d=1,2", ["a={b: 1, c: 2}", "d=1,2"]),
    ],
)
def test_commas_part_assignments_and_not_values(change: str, assignments: list[str]) -> None:
    from ser_tune.cli.written_arguments import ASSIGNMENTS

    assert ASSIGNMENTS.split(change) == assignments


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Configurations and seeds of all folds that were to be trained; set `training.fails` to interfere."""
    from ser_tune.training import job

    class Trained(list[Any]):
        fails: Callable[[Any], None] = staticmethod(lambda config: None)

    trained, fit = Trained(), job.fit

    def noted(config: Any, *arguments: Any, **others: Any) -> Any:
        trained.fails(config)
        trained.append(config)
        return fit(config, *arguments, **others)

    monkeypatch.setattr(job, "fit", noted)
    return trained


@pytest.fixture
def ablation(call: Call, root: Path, study_file: Path, corpus_csv: Path) -> Call:
    """Run `ser-tune ablate` on the tiny study: its end, and the rows of its table."""

    def _ablation(*arguments: str) -> Any:
        corpus = ("--corpus", "manifest", "--data", corpus_csv)
        told = call(root, "ablate", study_file, *corpus, *QUICK, *arguments, "--format", "markdown")
        lines = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in told.out.splitlines()]
        return told, [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]

    return _ablation


RATES = ("--change", "optimizer.learning_rate=0.3", "--change", "optimizer.learning_rate=0.01")


@pytest.mark.slow
def test_after_an_interruption_and_a_failure_all_have_the_same_seeds(ablation: Call, root: Path, training: Any) -> None:
    def fails(config: Any) -> None:
        """In the second seed of the unchanged configuration and of a change."""
        rate, seed = config.optimizer.learning_rate, config.seed
        if (rate, seed) == (0.003, 1) and len(training) == 3:
            training.append(None)
            raise KeyboardInterrupt
        if (rate, seed) == (0.3, 0) and failing:
            raise NonFiniteLossError("the loss is nan")

    training.fails, failing = fails, True
    told, rows = ablation(*RATES, "--seeds", "3")
    assert (told.code, rows) == (130, [])
    left = (
        "left: unchanged; optimizer.learning_rate=0.3; optimizer.learning_rate=0.01; the same command goes on from here"
    )
    assert left in told.err.splitlines()

    # One change fails: its row says so, and the other is trained
    told, rows = ablation(*RATES, "--seeds", "3")
    assert told.code == 1
    assert [row["change"] for row in rows] == ["unchanged", *RATES[1::2]]
    assert rows[1]["validation UAR [95 %]"] == (
        "failed: study 'small-ablate optimizer.learning_rate=0.3': 2 of 3 trainings are complete; "
        "trial 0 failed: NonFiniteLossError: the loss is nan; the same command goes on from here"
    )
    assert rows[1]["difference [95 %]"] == rows[1]["p"] == ""
    assert rows[2]["difference [95 %]"]

    failing = False
    told, rows = ablation(*RATES, "--seeds", "3")
    assert told.code == 0, told.err
    names = ["small-ablate", *(f"small-ablate {change}" for change in RATES[1::2])]
    for name, row in zip(names, rows, strict=True):
        by_seed = _scores_by_seed(root, name)
        assert list(by_seed) == [0, 1, 2]
        assert row["of each seed"] == " ".join(f"{score:.3f}" for score in by_seed.values())
    # Folds, seeds, configurations: each once
    assert len([report for report in training if report is not None]) == 3 * 3 * 3


def _scores_by_seed(root: Path, study: str) -> dict[int, float]:
    client = MlflowClient(f"sqlite:///{root}/mlruns/mlflow.db")
    found = client.search_runs(
        [experiment.experiment_id for experiment in client.search_experiments()],
        f"tags.`ser_tune.study` = '{study}' and tags.`ser_tune.trial` != '' and attributes.status = 'FINISHED'",
    )
    scores = {int(run.data.params["seed"]): run.data.metrics["validation_uar"] for run in found}
    assert len(scores) == len(found)
    return dict(sorted(scores.items()))


@pytest.mark.slow
def test_an_unchanged_configuration_that_fails_ends_the_ablation(ablation: Call, training: Any) -> None:
    def fails(config: Any) -> None:
        raise NonFiniteLossError("the loss is nan")

    training.fails = fails
    told, rows = ablation(*RATES, "--seeds", "1")
    assert (told.code, rows) == (2, [])
    assert "error: study 'small-ablate': 0 of 1 trainings are complete; trial 0 failed: NonFinite" in told.err


@pytest.mark.slow
def test_a_change_of_the_utterances_is_not_paired_and_a_time_limit_is_none(
    ablation: Call, call: Call, root: Path, corpus_csv: Path
) -> None:
    """A time limit would leave seeds out."""
    told, rows = ablation("--change", "protocol.holdout=[dan]", "--seeds", "1", "--set", "study.timeout_s=0.001")
    assert told.code == 0, told.err
    assert [row["change"] for row in rows] == ["unchanged", "protocol.holdout=[dan] (another protocol)"]
    assert rows[1]["difference [95 %]"] == rows[1]["p"] == ""
    assert rows[1]["validation UAR [95 %]"]

    # And a run that somebody deleted in MLflow is named
    client = MlflowClient(f"sqlite:///{root}/mlruns/mlflow.db")
    (run,) = client.search_runs(
        [experiment.experiment_id for experiment in client.search_experiments()],
        "tags.`ser_tune.study` = 'small-ablate' and tags.`ser_tune.trial` = '0'",
    )
    client.delete_run(run.info.run_id)
    told, rows = ablation("--change", "protocol.holdout=[dan]", "--seeds", "1")
    assert (told.code, rows) == (2, [])
    assert told.err.splitlines()[-1] == (
        "error: somebody deleted the runs of trial 0 of 'small-ablate' in MLflow; "
        "`ser-tune sync --restore small-ablate` restores them"
    )
