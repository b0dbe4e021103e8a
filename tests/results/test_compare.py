"""Two results of one protocol: the same numbers as from their tables by hand, whatever the results are called."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_tune.errors import ProtocolError, RegistryError
from ser_tune.metrics import METRICS
from ser_tune.resampling import choice_p_value, compare_paired
from ser_tune.results import Choice, compare, compared_outputs, compared_speakers
from ser_tune.tracking import read_predictions

NAME = "ser-manifest-alex_net"
UAR, WA = METRICS.get("uar"), METRICS.get("wa")


@pytest.mark.slow
def test_two_trials_are_compared_as_their_tables_say(first: Any) -> None:
    found = compare(first.workspace, "first:0", "first:1", "validation")
    ours, theirs = first.predictions(0), first.predictions(1)
    assert [row["utterance"] for row in ours] == [row["utterance"] for row in theirs]
    assert found.predictions[0][0].utterances == tuple(row["utterance"] for row in ours)
    emotions = ["anger", "joy"]
    speakers = sorted({row["speaker"] for row in ours})
    truth = np.array([emotions.index(row["emotion"]) for row in ours])
    said = [np.array([emotions.index(row["predicted"]) for row in rows]) for rows in (ours, theirs)]
    by_speaker = np.array([speakers.index(row["speaker"]) for row in ours])
    expected = compare_paired(truth, [said[0]], [said[1]], by_speaker, [UAR, WA], 2)
    assert found.paired.differences == expected.differences
    assert (found.paired.p_value, found.paired.effect_size) == (expected.p_value, expected.effect_size)
    by_hand = [UAR.score(truth, row, 2) for row in said]
    assert found.paired.primary.value == pytest.approx(by_hand[0] - by_hand[1])
    assert found.paired.n_speakers == 4
    assert found.differing.tolist() == [number for number in range(16) if said[0][number] != said[1][number]]
    assert len(found.differing) > 0
    # Their parts add up to the whole
    metric, outputs = compared_outputs(found)
    assert (metric, [row.name for row in outputs]) == (UAR, emotions)
    assert np.mean([row.difference.value for row in outputs]) == pytest.approx(found.paired.primary.value)
    for label, row in enumerate(outputs):
        assert row.values == pytest.approx([np.mean(rows[truth == label] == label) for rows in said])
        assert row.difference.value == pytest.approx(row.values[0] - row.values[1])
    rows = compared_speakers(found)
    assert {row.name: row.utterances for row in rows} == dict.fromkeys(speakers, 4)
    assert [abs(row.difference) for row in rows] == sorted((abs(row.difference) for row in rows), reverse=True)
    of_first = [answers[by_speaker == speakers.index(rows[0].name)] for answers in (truth, *said)]
    assert rows[0].scores == pytest.approx([UAR.score(of_first[0], answers, 2) for answers in of_first[1:]])
    # And these are the scores that the runs have
    scores = [result.run.data.metrics["validation_uar"] for result in found.results]
    assert scores == pytest.approx(by_hand)


@pytest.mark.slow
def test_a_result_can_be_called_by_its_model_its_run_or_its_study(first: Any) -> None:
    best = first.study.best_trial.number
    names = [NAME, f"{NAME}@champion", f"{NAME}/1", first.runs[best].info.run_id, f"first:{best}", "first"]
    for name in names:
        found = compare(first.workspace, name, "first:0", "validation")
        assert [result.run.info.run_id for result in found.results] == [
            first.runs[number].info.run_id for number in (best, 0)
        ], name
    assert found.protocol.fingerprint == first.prepared.protocol.fingerprint


@pytest.mark.slow
def test_a_result_is_as_good_as_itself(first: Any) -> None:
    found = compare(first.workspace, NAME, "first", "test")
    assert found.side == "test"
    assert len(found.differing) == 0
    assert (found.paired.primary.value, found.paired.p_value, found.paired.effect_size) == (0.0, 1.0, 0.0)


@pytest.mark.slow
def test_the_best_of_a_search_is_compared_as_such(copied: Any) -> None:
    found = compare(copied.workspace, "first", "first:1", "validation")
    assert found.choice is not None
    assert found.choice.searched == (3, 3)
    read = [
        read_predictions(copied.workspace, copied.runs[number], "validation").sums(UAR)  # type: ignore[union-attr]
        for number in range(3)
    ]
    best = copied.study.best_trial.number
    expected = choice_p_value(UAR, np.stack([read[best], *read]), np.stack([read[1], *read]))
    assert (found.choice.p_value, found.choice.exact) == (expected, True)
    assert found.choice.p_value >= found.paired.p_value
    # Predictions of what was not promoted may be deleted, and test speakers were not judged by it
    assert copied.runs[2].info.run_id not in {result.run.info.run_id for result in found.results}
    run_id = copied.runs[2].info.run_id
    (table,) = Path(copied.project.root).rglob(f"{run_id}/artifacts/validation_predictions.csv")
    table.unlink()
    without = compare(copied.workspace, "first:0", "first:1", "validation")
    assert without.choice == Choice((3, 3), min(1.0, 3 * without.paired.p_value), exact=False)
    tested = compare(copied.workspace, "first", NAME, "test")
    assert tested.choice == Choice((3, 3), 1.0, exact=False)


def test_results_of_other_protocols_are_refused_with_what_differs(copied: Any) -> None:
    run_id = copied.runs[1].info.run_id
    copied.workspace.client.set_tag(run_id, "protocol.aggregation", "mean_probability")
    with pytest.raises(ProtocolError) as refused:
        compare(copied.workspace, "first:0", run_id, "validation")
    assert str(refused.value) == (
        f"'first:0' and '{run_id}' cannot be compared: their protocols differ: "
        "aggregation is 'mean_log_softmax', not 'mean_probability'"
    )


@pytest.mark.parametrize(
    ("side", "message"),
    [
        ("test", r"run [0-9a-f]{32} \(trial \d of first\) has no test predictions; .* when it is promoted"),
        ("holdout", r"run [0-9a-f]{32} \(trial \d of first\) has no holdout predictions"),
    ],
)
def test_a_trial_that_was_not_promoted_has_no_such_predictions(first: Any, side: str, message: str) -> None:
    number = next(number for number, run in first.runs.items() if "test_uar" not in run.data.metrics)
    with pytest.raises(RegistryError, match=message):
        compare(first.workspace, f"first:{number}", f"first:{number}", side)


@pytest.mark.slow
def test_tables_of_other_utterances_are_not_compared(copied: Any) -> None:
    table = Path(copied.runs[0].info.artifact_uri, "validation_predictions.csv")
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    table.write_text("".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(RegistryError, match="'first:0' and 'first:1' have validation predictions of different utter"):
        compare(copied.workspace, "first:0", "first:1", "validation")


@pytest.mark.slow
@pytest.mark.usefixtures("plugged")
def test_results_of_another_objective_are_compared_and_tested_by_it(copied: Any) -> None:
    for number in (0, 1):
        run_id, wa = copied.runs[number].info.run_id, copied.runs[number].data.metrics["validation_wa"]
        copied.workspace.client.set_tag(run_id, "protocol.objectives", '["error"]')
        copied.workspace.client.log_metric(run_id, "validation_error", 1 - wa)
    found = compare(copied.workspace, "first:0", "first:1", "validation")
    assert [metric.name for metric in found.metrics] == list(found.paired.differences) == ["error", "uar", "wa"]
    differences = found.paired.differences
    assert found.paired.primary == differences["error"]
    assert differences["error"].value == pytest.approx(-differences["wa"].value)
    ours, theirs = (seeds[0] for seeds in found.predictions)
    by_wa = compare_paired(ours.truth, [ours.predicted], [theirs.predicted], ours.speaker_numbers, [WA], 2)
    assert found.paired.p_value == by_wa.p_value
