"""What a person sees at a terminal."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from ser_tune.cli import progress
from ser_tune.project import Project
from ser_tune.protocol import prepare
from ser_tune.search import Fanout, StudyObserver, run_study


@pytest.mark.slow
def test_a_terminal_shows_bars_and_a_live_line(
    tiny: Callable[..., Any], project: Project, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=150, highlight=False)
    monkeypatch.setattr(progress, "notes", terminal)
    definition = tiny(name="[shown]", **{"training.epochs": 1, "study.trials": 2, "study.pruner": "none"})
    with progress.ProgressObserver() as observer:
        recorder.on_epoch = lambda fold, epoch: observer._bars.refresh()  # else it is drawn ten times a second
        summary = run_study(prepare(definition, project), project, Fanout(observer, recorder))
    shown = screen.getvalue()
    assert "study [shown]: 16 utterances, 4 speakers, 2 emotions, 3 folds" in shown
    assert "trial 1" in shown
    assert "fold 3/3, epoch 1: UAR" in shown
    assert f"best {summary.first:.4f} (trial 0), 1 done, 0 pruned, 0 failed, about " in shown
    assert "━" in shown


@pytest.mark.slow
def test_studies_after_one_another_have_bars_of_their_own_and_the_demo_corpus_says_what_it_is(
    tiny: Callable[..., Any], project: Project, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(progress, "notes", Console(file=screen, force_terminal=True, width=150, highlight=False))
    definition = tiny(name="shown", **{"training.epochs": 1, "study.trials": 1})
    run_study(prepare(definition, project), project, recorder)
    (start,) = recorder.started
    with progress.ProgressObserver() as observer:
        for corpus in (start.corpus, replace(start.corpus, name="demo", origins=())):
            observer.study_started(replace(start, corpus=corpus))
            observer.trial_started(*recorder.trials[0])
            assert len(observer._bars.tasks) == 2
            observer.study_finished(recorder.summaries[0])
            assert not observer._bars.tasks
    assert screen.getvalue().count(progress.DEMO) == 1


@pytest.mark.slow
def test_where_nobody_watches_a_long_trial_says_where_it_is(
    tiny: Callable[..., Any], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = io.StringIO()
    monkeypatch.setattr(progress, "notes", Console(file=lines, width=150, highlight=False))
    for silence_s, told in ((60.0, 0), (0.0, 6)):  # three folds of two epochs, in less than a minute
        monkeypatch.setattr(progress, "QUIET_S", silence_s)
        definition = tiny(name=f"told-{silence_s}", **{"training.epochs": 2, "study.trials": 1})
        with progress.ProgressObserver() as observer:
            run_study(prepare(definition, project), project, observer)
        assert lines.getvalue().count("trial 0, fold") == told


def test_several_observers_are_told_in_order(recorder: Any) -> None:
    class Second(type(recorder)):  # type: ignore[misc]
        pass

    second = Second()
    both = Fanout(recorder, second)
    both.study_started("start")  # type: ignore[arg-type]
    both.trial_started(3, "config", {})  # type: ignore[arg-type]
    both.epoch_finished(3, 0, type("Report", (), {"epoch": 1})())
    both.trial_finished("outcome")  # type: ignore[arg-type]
    both.study_finished("summary")  # type: ignore[arg-type]
    both.extraction_progressed(1, 2)
    for one in (recorder, second):
        assert (one.started, one.outcomes, one.summaries) == (["start"], ["outcome"], ["summary"])
        assert (one.trials, len(one.epochs)) == ([(3, "config", {})], 1)


@pytest.mark.slow
def test_folds_of_a_trial_whose_end_was_not_stored_any_more_are_counted(
    tiny: Callable[..., Any], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupting(StudyObserver):
        def trial_finished(self, outcome: Any) -> None:
            raise KeyboardInterrupt  # after its line was printed, and before Optuna stored its end

    lines = io.StringIO()
    monkeypatch.setattr(progress, "notes", Console(file=lines, width=200, highlight=False))
    prepared = prepare(tiny(name="cut", **{"training.epochs": 1, "study.trials": 2}), project)
    with progress.ProgressObserver() as observer:
        assert run_study(prepared, project, Fanout(observer, Interrupting())).interrupted
    assert "trial 0: UAR" in lines.getvalue()
    assert "interrupted: 0 trials and 3 folds of the next kept; the same command continues" in lines.getvalue()
    with progress.ProgressObserver() as observer:
        run_study(prepared, project, observer)
    assert lines.getvalue().count("was trained before the interruption") == 3
