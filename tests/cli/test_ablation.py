"""`ser-tune ablate`: single changes, each beside the unchanged configuration, over several seeds."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from ser_tune.config import Project
from ser_tune.metrics import compare_paired
from ser_tune.study import StudyObserver, prepare
from ser_tune.tracking import open_tracking

Call = Callable[..., Any]
QUICK = ("--set", "training.epochs=1", "--set", "training.batch_size=8", "--name", "small")
CHANGES = ("--change", "optimizer.learning_rate=0.3,optimizer.name=sgd", "--change", "normalisation.scope=utterance")


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
    from ser_tune.results import ablate
    from ser_tune.tracking import TrackingObserver, find_runs, read_predictions

    client = open_tracking(project)
    studies = []
    for name, rate in (("base", 0.003), ("fast", 0.03)):
        settings = {"study.trials": 2, "training.epochs": 1, "optimizer.learning_rate": rate, "study.pruner": "none"}
        definition = tiny(name=name, **settings)
        single = definition.without_search()
        config = single.config.model_copy(update={"study": definition.config.study})
        studies.append(prepare(type(single)(config=config, search={}), project))
    base, fast = ablate(studies, client, project, lambda: nullcontext(TrackingObserver(client, project)))
    assert base.against is None
    assert fast.against is not None
    read: dict[str, list[Any]] = {}
    (experiment,) = client.search_experiments(filter_string="name = 'manifest'")
    for one in (base, fast):
        study_id = optuna.load_study(study_name=one.study, storage=project.storage_url).user_attrs["study_id"]
        _, runs = find_runs(client, experiment.experiment_id, study_id)
        read[one.study] = [read_predictions(client, runs[number].info.run_id, "validation") for number in (0, 1)]
        assert one.seconds == pytest.approx(sum(run.data.metrics["trial_seconds"] for run in runs.values()))
    truth, ours, theirs, speakers = (
        np.concatenate([getattr(one, what) for one in read[name]])
        for name, what in (
            ("base", "truth"),
            ("fast", "predicted"),
            ("base", "predicted"),
            ("base", "speaker_numbers"),
        )
    )
    assert fast.against == compare_paired(truth, ours, theirs, speakers, 2)
    assert fast.against.uar_difference == pytest.approx(fast.mean - base.mean)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to change; pass --change PATH=VALUE, such as augmentation.mixup=true"),
        (("--change", "augmentation.mixup=maybe"), "augmentation.mixup is 'maybe'"),
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


def test_an_interrupted_training_ends_the_ablation(
    tiny: Callable[..., Any], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune.results import ablate
    from ser_tune.study import objective

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(objective, "fit", interrupted)
    studies = [prepare(tiny(name="base").without_search(), project)]
    with pytest.raises(KeyboardInterrupt):
        ablate(studies, open_tracking(project), project, lambda: nullcontext(StudyObserver()))
