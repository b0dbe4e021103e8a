"""Running studies on a real Optuna database: totals, resuming, refusals, failures, interruptions."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from ser_tune.coordination import load_study, open_storage
from ser_tune.errors import AudioError, ConfigError, NonFiniteLossError, StorageError, StudyError, Terminated
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.search import StudySummary, Trainer, run_study

Run = Callable[..., StudySummary]


def _trials(project: Project) -> list[optuna.trial.FrozenTrial]:
    storage = optuna.storages.RDBStorage(project.storage_url, skip_compatibility_check=True)  # which takes long
    return optuna.load_study(study_name="one", storage=storage).get_trials(deepcopy=False)


@pytest.mark.slow
def test_a_study_tells_its_observer_everything_in_order(run: Run, recorder: Any) -> None:
    summary = run(2)
    (start,) = recorder.started
    assert (start.trials_to_run, start.finished, start.before.best) == (2, {}, None)
    assert (start.confirms, start.notes) == ("", [])
    assert start.device.startswith("cpu")
    assert [number for number, *_ in recorder.trials] == [0, 1]
    assert [fold for fold, _ in recorder.epochs] == [0, 1, 2, 0, 1, 2]
    assert [outcome.state for outcome in recorder.outcomes] == ["COMPLETE", "COMPLETE"]
    assert recorder.summaries == [summary]
    assert (summary.complete, summary.pruned, summary.failed, summary.interrupted) == (2, 0, 0, False)
    assert summary.finished == {0: "COMPLETE", 1: "COMPLETE"}


@pytest.mark.slow
def test_the_score_is_the_pooled_validation_uar_and_the_best_is_the_highest(run: Run, recorder: Any) -> None:
    summary = run(3)
    scores = {outcome.number: outcome.scores["uar"].value for outcome in recorder.outcomes}
    assert summary.best == max(scores.items(), key=lambda one: one[1])
    assert summary.first == scores[0]


@pytest.mark.slow
def test_trial_0_is_the_default_configuration_where_nothing_is_published(run: Run, recorder: Any) -> None:
    run(2)
    first, second = (config for _, config, _ in recorder.trials)
    assert (first.optimizer.learning_rate, first.optimizer.weight_decay) == (0.003, 1e-4)
    assert second.optimizer.learning_rate != 0.003


@pytest.mark.slow
def test_a_configured_value_outside_its_range_is_told_and_not_replaced_by_a_random_one(
    tiny: Callable[..., Any], study_file: Path, tmp_path: Path, project: Project, recorder: Any
) -> None:
    file = tmp_path / "outside.yaml"
    file.write_text(study_file.read_text(encoding="utf-8").replace("low: 1e-3", "low: 1e-2"), encoding="utf-8")
    flags = {"training.epochs": 1, "training.batch_size": 4, "study.trials": 1}
    run_study(prepare(tiny(file, **flags), project), project, recorder)
    note = "trial 0 takes the nearest values in the search ranges: optimizer.learning_rate is 0.01, not 0.003"
    assert note in recorder.started[0].notes
    ((_, config, _),) = recorder.trials
    assert config.optimizer.learning_rate == 0.01


@pytest.mark.slow
def test_trials_are_concrete_and_share_a_seed(run: Run, recorder: Any) -> None:
    run(2, **{"training.precision": "auto", "training.device": "auto"})
    configs = [config for _, config, _ in recorder.trials]
    assert [config.seed for config in configs] == [0, 0]
    assert all(config.training.precision in ("float32", "bfloat16") for config in configs)
    assert all(config.training.device in ("cpu", "cuda", "mps") for config in configs)


@pytest.mark.slow
def test_the_same_seed_leads_to_the_same_scores(run: Run, recorder: Any) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        run(2, name=name, seed=seed)
    losses = [
        [one.validation_loss for part in outcome.folds for one in part.fitted.history] for outcome in recorder.outcomes
    ]
    scores = [outcome.scores for outcome in recorder.outcomes]
    assert (losses[:2], scores[:2]) == (losses[2:4], scores[2:4])
    assert losses[4:] != losses[:2]


@pytest.mark.slow
def test_trials_is_a_total_and_a_larger_one_resumes(run: Run, recorder: Any, project: Project) -> None:
    run(2)
    assert run(2).complete == 2
    # Nothing is trained, so there is nowhere to train
    assert (recorder.started[-1].trials_to_run, recorder.started[-1].device) == (0, "")
    assert run(1).complete == 2
    assert run(3).complete == 3
    assert recorder.started[-1].trials_to_run == 1
    assert recorder.started[-1].finished == {0: "COMPLETE", 1: "COMPLETE"}
    assert recorder.started[-1].before == recorder.summaries[-2]
    assert len(_trials(project)) == 3
    assert len({start.study_id for start in recorder.started}) == 1


@pytest.mark.slow
def test_a_resumed_study_proposes_other_values(run: Run, project: Project) -> None:
    run(2)
    run(4)
    rates = [trial.params["optimizer.learning_rate"] for trial in _trials(project)]
    assert len(set(rates)) == 4


@pytest.mark.slow
def test_a_timeout_starts_no_new_trial(run: Run) -> None:
    summary = run(5, **{"study.timeout_s": 1e-6})
    assert (summary.complete, summary.best) == (0, None)
    assert run(1).complete == 1


@pytest.mark.slow
def test_an_unknown_study_is_answered_with_those_there_are(run: Run, project: Project) -> None:
    with pytest.raises(StudyError, match="it has: none"):
        load_study("other", project)
    run(1)
    with pytest.raises(StudyError, match=r"no study 'other' in sqlite.* it has: one"):
        load_study("other", project)


@pytest.mark.slow
@pytest.mark.parametrize("error", [NonFiniteLossError("nan"), AudioError("too short")])
def test_a_trial_that_fails_counts_and_is_not_tried_again(
    run: Run, recorder: Any, project: Project, error: Exception
) -> None:
    def fail(fold: int, epoch: int) -> None:
        if len(recorder.trials) == 1 and fold == 1:
            raise error

    recorder.on_epoch = fail
    summary = run(2)
    assert (summary.complete, summary.failed) == (1, 1)
    assert summary.best is not None
    assert summary.best[0] == 1
    failed = recorder.outcomes[0]
    assert (failed.state, len(failed.folds), failed.reason) == ("FAIL", 1, f"{type(error).__name__}: {error}")
    assert [trial.state for trial in _trials(project)] == [TrialState.FAIL, TrialState.COMPLETE]
    assert run(2) == summary


@pytest.mark.slow
def test_a_study_ends_where_so_many_trials_in_a_row_have_failed_and_the_same_call_tries_again(
    run: Run, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(number: int) -> None:
        if number != 1:
            raise NonFiniteLossError(f"nan in {number}")

    recorder.on_trial = fail
    summary = run(8, **{"study.max_failures": 2})
    assert (summary.complete, summary.failed, summary.interrupted) == (1, 3, False)
    assert summary.failures == [f"trial {number}: NonFiniteLossError: nan in {number}" for number in (2, 3)]
    assert run(8, **{"study.max_failures": 2}).failed == 5
    summary = run(8, **{"study.max_failures": "none"})
    assert (summary.failed, summary.failures) == (7, ())


@pytest.mark.slow
def test_a_diverging_network_fails_its_trial(run: Run, recorder: Any) -> None:
    summary = run(1, **{"optimizer.learning_rate": 1.0, "optimizer.name": "sgd", "training.gradient_clip_norm": 0.0})
    (outcome,) = recorder.outcomes
    # Whether the loss overflows at once depends on the machine; what may not be is a score that is no number
    assert outcome.state in ("FAIL", "COMPLETE")
    assert summary.failed + summary.complete == 1
    assert outcome.state == "COMPLETE" or "NonFiniteLossError" in outcome.reason
    assert summary.best is None or np.isfinite(summary.best[1])


@pytest.mark.slow
def test_values_that_do_not_go_together_fail_their_trial_and_the_study_ends(
    run: Run, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: object, sampled: object, seed: int) -> None:
        raise ConfigError("these values do not go together")

    monkeypatch.setattr(Trainer, "concrete", refuse)
    summary = run(2)
    assert (summary.failed, summary.best) == (2, None)
    assert all("do not go together" in trial.user_attrs["failure"] for trial in _trials(project))


@pytest.mark.slow
def test_a_pruned_trial_is_pruned_and_counts(
    run: Run, recorder: Any, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune.search import objective

    def in_the_second_fold_of_the_second_trial(judge: Any, position: int, report: Any) -> str:
        return "no hope" if (len(recorder.trials), position) == (2, 1) else ""

    monkeypatch.setattr(objective.Reporting, "after_epoch", in_the_second_fold_of_the_second_trial)
    summary = run(2)
    assert (summary.complete, summary.pruned, summary.failed) == (1, 1, 0)
    pruned = recorder.outcomes[1]
    assert (pruned.state, len(pruned.folds), pruned.reason) == ("PRUNED", 1, "no hope")
    assert _trials(project)[1].state == TrialState.PRUNED


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "good", "poor", "reason"),
    [
        ("classification", 0.9, 0.1, "UAR 0.100 in fold X, epoch 1 is hopelessly low"),
        ("dimensions", 0.9, -0.1, "CCC -0.100 in fold X, epoch 1 is hopelessly low"),
        ("distribution", 0.1, 0.9, "JSD 0.900 in fold X, epoch 1 is hopelessly high"),
    ],
)
def test_a_hopeless_trial_loses_its_race(
    task: str, good: float, poor: float, reason: str, run: Run, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune.training import job

    original = job.fit

    def worse(*arguments: Any, on_epoch: Callable[[Any], None], **others: Any) -> Any:
        def told(report: Any) -> None:
            value = poor if len(recorder.trials) == 3 else good
            on_epoch(replace(report, validation=dict.fromkeys(report.validation, value), kept=value))

        return original(*arguments, on_epoch=told, **others)

    monkeypatch.setattr(job, "fit", worse)
    summary = run(3, task=task, **{"study.pruner": "racing"})
    assert (summary.complete, summary.pruned) == (2, 1)
    # The fold that tells most about the mean of all comes first
    assert re.sub("fold [012]", "fold X", recorder.outcomes[2].reason) == f"racing: {reason}"


@pytest.mark.slow
def test_an_interruption_ends_cleanly_and_loses_no_proposal(run: Run, recorder: Any, project: Project) -> None:
    def interrupt(fold: int, epoch: int) -> None:
        if len(recorder.trials) == 2 and fold == 1:
            raise KeyboardInterrupt

    recorder.on_epoch = interrupt
    summary = run(3)
    assert summary.interrupted
    assert (summary.complete, summary.failed) == (1, 0)
    assert summary.best is not None
    assert summary.best[0] == 0
    assert (recorder.outcomes[1].state, recorder.outcomes[1].reason) == ("FAIL", "interrupted")
    assert recorder.summaries == [summary]

    recorder.on_epoch = lambda fold, epoch: None
    summary = run(3)
    assert (summary.complete, summary.failed, summary.interrupted) == (3, 0, False)
    states = [trial.state for trial in _trials(project)]
    assert states == [TrialState.COMPLETE, TrialState.FAIL, TrialState.COMPLETE, TrialState.COMPLETE]
    lost, again = _trials(project)[1:3]
    assert lost.params == again.params
    # No trial of a search has a seed of its own, with or without an interruption
    assert [config.seed for _, config, _ in recorder.trials] == [0, 0, 0, 0]


@pytest.mark.slow
def test_a_process_that_is_terminated_puts_its_trial_in_line_and_promotes_nothing(
    run: Run, recorder: Any, project: Project
) -> None:
    def terminate(fold: int, epoch: int) -> None:
        raise Terminated(15)

    recorder.on_epoch = terminate
    with pytest.raises(Terminated):
        run(1)
    (summary,) = recorder.summaries
    assert (summary.interrupted, summary.complete, summary.failed) == (True, 0, 0)
    assert [trial.state for trial in _trials(project)] == [TrialState.FAIL, TrialState.WAITING]


@pytest.mark.slow
def test_an_error_that_ends_the_study_loses_not_even_the_published_configuration(
    run: Run, recorder: Any, project: Project
) -> None:
    def fail(number: int) -> None:
        raise StorageError("the disk is full")

    recorder.on_trial = fail
    with pytest.raises(StorageError, match="the disk is full"):
        run(2)
    (summary,) = recorder.summaries
    assert (summary.interrupted, summary.failed) == (True, 0)
    recorder.on_trial = lambda number: None
    assert run(1).complete == 1
    assert _trials(project)[-1].params["optimizer.learning_rate"] == 0.003


def test_a_recording_that_cannot_be_used_ends_the_study_before_it_is_stored(
    run: Run, recorder: Any, project: Project, make_corpus: Callable[..., Path], tmp_path: Path
) -> None:
    table = make_corpus(tmp_path / "broken")
    (table.parent / "ada_anger_0.wav").write_text("no sound")
    with pytest.raises(AudioError, match=r"ada_anger_0\.wav"):
        run(1, **{"corpus.data": table})
    assert not recorder.started
    assert optuna.get_all_study_names(open_storage(project)) == []


@pytest.mark.slow
def test_a_promoted_study_must_still_have_its_protocol(
    run: Run, project: Project, tiny: Callable[..., Any], make_corpus: Callable[..., Path], tmp_path: Path
) -> None:
    run(1)
    study, definition = load_study("one", project)
    prepare(definition, project).refuse_other_protocol(study)
    changed = prepare(tiny(name="one", **{"corpus.data": make_corpus(tmp_path / "other", seed=2)}), project)
    with pytest.raises(StudyError, match="ran under another protocol: corpus_digest"):
        changed.refuse_other_protocol(study)


@pytest.mark.slow
def test_a_study_whose_workers_gave_up_says_why(project: Project, tiny: Any, recorder: Any) -> None:
    reasons = ("trial 1: ConfigError: these values do not go together",)
    prepared = prepare(tiny(**{"study.max_failures": 1}), project)
    assert run_study(prepared, project, recorder, workers=lambda _: (False, reasons)).failures == list(reasons)
    assert not run_study(prepared, project, recorder, workers=lambda _: (False, ())).failures


@pytest.mark.slow
def test_all_workers_have_one_deadline(project: Project, tiny: Any, recorder: Any) -> None:
    deadlines = list[float | None]()

    def work(deadline: float | None) -> tuple[bool, Sequence[str]]:
        deadlines.append(deadline)
        return False, ()

    timed = prepare(tiny(**{"study.timeout_s": 1000}), project)
    run_study(timed, project, recorder, workers=work)
    (deadline,) = deadlines
    assert deadline is not None
    assert 900 < deadline - time.monotonic() <= 1000
    assert run_study(timed, project, recorder, deadline=time.monotonic()).complete == 0
