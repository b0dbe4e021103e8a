"""Test and holdout speakers are scored once, and all of it is written down."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ser_tune.features import TYPICAL_CONDITIONS
from ser_tune.tracking import score_on_holdout, score_on_test, score_stressed
from tests.opened_studies import Opened


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was looked at."""
    from ser_tune.tracking import held_out_scores

    seen: list[str] = []
    for side in ("test", "holdout"):
        original: Callable[..., Any] = getattr(held_out_scores, f"score_{side}_speakers")

        def look(*arguments: Any, side: str = side, original: Callable[..., Any] = original) -> Any:
            seen.append(side)
            return original(*arguments)

        monkeypatch.setattr(held_out_scores, f"score_{side}_speakers", look)
    return seen


@pytest.mark.slow
def test_test_speakers_are_looked_at_once(located: Opened, looks: list[str]) -> None:
    number = next(number for number, run in located.runs.items() if "test_uar" not in run.data.metrics)
    run_id = located.runs[number].info.run_id
    scored = score_on_test(located.workspace, located.runs[number], located.prepared)
    assert looks == ["test"]
    run = located.workspace.client.get_run(run_id)
    assert scored == {key: value for key, value in run.data.metrics.items() if key.startswith(("validation", "test"))}
    assert {"test_uar", "test_uar_low", "test_wa_high", "test_recall/joy", "validation_uar"} <= set(scored)
    assert run.data.tags["ser_tune.test"] == "scored"
    files = {file.path for file in located.workspace.client.list_artifacts(run_id)}
    assert {"test_predictions.csv", "test_confusion.png"} <= files
    assert score_on_test(located.workspace, run, located.prepared) == scored
    assert looks == ["test"]


def test_a_study_that_holds_nobody_out_has_no_holdout_scores(located: Opened, looks: list[str]) -> None:
    run = next(run for run in located.runs.values() if "test_uar" in run.data.metrics)
    scored = score_on_holdout(located.workspace, run, located.prepared)
    assert looks == []
    assert not [name for name in scored if name.startswith(("holdout", "optimism"))]


@pytest.mark.slow
def test_a_model_is_opened_once_for_both_sides(
    located: Opened, looks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune.tracking import held_out_scores

    opens: list[str] = []
    original = held_out_scores.open_predictor

    def counted(uri: str) -> Any:
        opens.append(uri)
        return original(uri)

    monkeypatch.setattr(held_out_scores, "open_predictor", counted)
    run = next(run for run in located.runs.values() if "test_uar" not in run.data.metrics)
    config = located.prepared.definition.config
    protocol = config.protocol.model_copy(update={"holdout": located.prepared.corpus.speakers[:1]})
    definition = replace(located.prepared.definition, config=config.model_copy(update={"protocol": protocol}))
    prepared = replace(located.prepared, definition=definition)
    scored = score_on_test(located.workspace, run, prepared)
    assert looks == ["test", "holdout"]
    assert len(opens) == 1
    assert {"test_uar", "holdout_uar", "optimism"} <= set(scored)


def test_without_its_table_a_run_is_not_scored(
    located: Opened, looks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metrics say that all is there, so they come last."""
    from ser_tune.tracking import run_metrics

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    run = next(run for run in located.runs.values() if "test_uar" not in run.data.metrics)
    monkeypatch.setattr(run_metrics, "write_predictions", full)
    with pytest.raises(OSError, match="No space left"):
        score_on_test(located.workspace, run, located.prepared)
    again = located.workspace.client.get_run(run.info.run_id)
    assert not [name for name in again.data.metrics if name.startswith("test_")]
    assert "ser_tune.test" not in again.data.tags


@pytest.mark.slow
def test_validation_speakers_are_scored_in_worse_recordings_once(
    located: Opened, looks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune.tracking import held_out_scores

    chosen = {
        condition.name: condition
        for condition in TYPICAL_CONDITIONS
        if condition.kind in ("white noise", "babble", "clipping")
    }
    monkeypatch.setattr(held_out_scores, "TYPICAL_CONDITIONS", tuple(chosen.values()))
    run, told = located.runs[0], list[str]()
    scored = score_stressed(located.workspace, run, located.prepared, on_condition=told.append)
    assert told == list(scored) == list(chosen)
    assert all(0 <= uar <= 1 for uar in scored.values())
    metrics = located.workspace.client.get_run(run.info.run_id).data.metrics
    assert {key: value for key, value in metrics.items() if key.startswith("stressed")} == {
        "stressed_validation_uar/white noise 10 dB": scored["white noise 10 dB"],
        "stressed_validation_uar/babble 10 dB": scored["babble 10 dB"],
        "stressed_validation_uar/clipping 5_": scored["clipping 5%"],
    }
    assert score_stressed(located.workspace, run, located.prepared, on_condition=told.append) == scored
    assert len(told) == len(chosen)
    assert looks == []  # they are scored once
