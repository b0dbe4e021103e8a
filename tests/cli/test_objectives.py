"""A study of another metric than UAR, where less is better and scores are below 0, through what people read."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ser_tune.cli.printing.registered import TAGS, _score_columns, print_models
from ser_tune.registry import RegisteredVersion
from tests.read_pages import Page

LINE = r"^trial (\d): drift (-\d\.\d{4}) \([\d.]+ s\); best (-\d\.\d{4}) \(trial (\d)\)"


@pytest.mark.slow
@pytest.mark.usefixtures("plugged")
def test_a_score_below_zero_of_which_less_is_better_is_printed_and_ranked(
    call: Callable[..., Any], root: Path, study_file: Path, corpus_csv: Path
) -> None:
    corpus = ("--corpus", "manifest", "--data", str(corpus_csv))
    search = ("--set", "seed=3", "--trials", "3", "--pruner", "none", "--set", "study.objectives=[drift]")
    told = call(root, "study", study_file, *corpus, *search, "--name", "drifting")
    assert told.code == 0, told.err
    scores = {}
    for number, score, best, of_trial in re.findall(LINE, told.err, re.MULTILINE):
        scores[int(number)] = float(score)
        assert float(best) == min(scores.values())
        assert scores[int(of_trial)] == min(scores.values())
    assert len(scores) == 3
    lowest = min(scores, key=lambda number: (scores[number], number))
    assert f"best trial {lowest}" in told.out
    assert re.search(r"^drift  .*^UAR  .*^WA  ", told.out, re.MULTILINE | re.DOTALL)  # a row for each of three metrics
    assert "without the choice among 3 trials the winner's drift is -" in told.out

    assert f"best of the search {scores[lowest]:.4f} (trial {lowest})" in call(root, "status", "drifting").out
    assert "best drift" in call(root, "status").out
    (status,) = json.loads(call(root, "status", "--json").out)
    assert (status["objective"], status["best"]) == ("drift", [lowest, pytest.approx(scores[lowest], abs=1e-4)])
    (entry,) = json.loads(call(root, "leaderboard", "--format", "json").out)
    assert entry["validation drift"].startswith(f"{scores[lowest]:.4f}")
    assert float(entry["test drift"].split()[0]) == -float(entry["test WA"].split()[0])
    models = call(root, "models", "--wide").out
    assert [title in models for title in ("validation drift", "test drift", "test WA")] == [True] * 3

    for option in ("--out", "--csv", "--latex"):
        assert option in call(root, "report", "--help").out
    files = [root / name for name in ("page.html", "trials.csv", "tables.tex")]
    call(root, "report", "drifting", "--no-audio", "--out", files[0], "--csv", files[1], "--latex", files[2])
    html, trials, latex = (file.read_text(encoding="utf-8") for file in files)
    page = Page(html)
    header = next(row for row in page.rows if row[0] == "speakers")
    assert [*header[2:5], header[-2]] == ["drift [95 %]", "UAR [95 %]", "WA [95 %]", "drift over folds"]
    assert "the highest drift first" in html
    assert "a positive difference is an improvement" in page.text
    gains = {row[0]: row for row in page.rows if row[0].endswith("corrected")}
    first = gains["the first trial, corrected"]
    assert float(first[1]) - float(first[2]) == pytest.approx(float(first[3].split()[0]), abs=2e-4)
    assert [float(row["validation_drift"]) for row in csv.DictReader(io.StringIO(trials))] == pytest.approx(
        [scores[number] for number in sorted(scores)], abs=1e-4
    )
    assert r"speakers & networks & drift & UAR & WA \\" in latex


def test_versions_without_test_scores_have_the_columns_of_all_versions() -> None:
    """As networks that were trained on all speakers, of which the validation scores of their folds are known."""
    tags = dict.fromkeys(("validation_uar", "validation_uar_fold_mean", "validation_wa"), "0.5")
    assert list(_score_columns([tags], wide=True)) == ["validation UAR", "corrected", "test UAR", "test WA"]


def test_versions_of_several_objectives_have_columns_for_the_objective_of_each(
    capsys: pytest.CaptureFixture[str],
) -> None:
    emotions = dict.fromkeys(("validation_uar", "validation_uar_fold_mean", "test_uar"), "0.5")
    votes = dict.fromkeys(("validation_jsd", "validation_jsd_fold_mean", "validation_uar", "test_jsd"), "0.25")
    versions = [RegisteredVersion("m", str(number), (), tags) for number, tags in ((1, emotions), (2, votes))]
    print_models(lambda: versions, wide=True, as_json=False)  # type: ignore[arg-type]
    table = capsys.readouterr().out.splitlines()
    assert [line.split() for line in table] == [
        ["name", "version", "alias", "objective", "validation", "corrected", "test", *TAGS],
        ["m", "1", "UAR", "0.5000", "0.5000"],
        ["m", "2", "JSD", "0.2500", "0.2500"],
    ]
