"""`check-model` and promotion rule `gated`, on a trained study."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ser_tune import registry
from ser_tune.registry import registration
from ser_tune.registry.gate import check_on_validation
from ser_tune.results.model_check import CHECKS_TAG
from ser_tune.tracking import search_runs

pytestmark = pytest.mark.slow

MODEL = "ser-manifest-alex_net"
TESTS = "scores: {uar: UAR}\nparts: {recall: 0}\nstress: {clipping 1%: 1}\nsize_mb: 900\nseconds_per_second: 100\n"


def _file(folder: Path, lowest: float) -> Path:
    file = folder / f"tests-{lowest}.yaml"
    file.write_text(TESTS.replace("UAR", str(lowest)), encoding="utf-8")
    return file


def test_a_checked_model_has_a_verdict_a_page_and_a_run(
    finished_copy: Any, call: Callable[..., Any], open_study: Callable[..., Any], tmp_path: Path
) -> None:
    told, page = [], tmp_path / "page.html"
    for lowest in (0, 1.01):
        arguments = ("--corpus", "manifest", "--data", finished_copy.csv, "--tests", _file(tmp_path, lowest))
        told.append(call(finished_copy.root, "check-model", MODEL, *arguments, "--json", "--out", page))
    assert [found.code for found in told] == [0, 1], told[0].err
    (passed,), (failed,) = (json.loads(found.out) for found in told)
    assert (passed["passed"], failed["passed"]) == (True, False)
    assert [test["test"] for test in failed["tests"] if not test["passed"]] == ["uar"]
    opened = open_study(finished_copy.root)
    version = opened.workspace.client.get_model_version(MODEL, "1")
    assert version.tags[CHECKS_TAG].startswith("fails 1 of 5 tests on ")
    run = opened.workspace.client.get_run(failed["run"])
    assert run.data.tags["mlflow.parentRunId"] == version.run_id
    assert run.data.metrics["tests_passed"] == 4
    promoted = opened.workspace.client.get_run(version.run_id).data.metrics
    assert run.data.metrics["margin/scores uar"] == pytest.approx(promoted["test_uar"] - 1.01)
    stored = {artifact.path for artifact in opened.workspace.client.list_artifacts(failed["run"])}
    assert stored == {"check.csv", "check.html", "check.json", "check_tests.yaml"}
    assert f"{MODEL}/1" in page.read_text(encoding="utf-8")
    assert len(list(search_runs(opened.workspace, tags={CHECKS_TAG: f"{MODEL}/1"}))) == 2


def test_a_gated_version_becomes_champion_only_if_it_passes_also_without_a_champion(
    finished_copy: Any, open_study: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_study(finished_copy.root)
    verdicts = {}
    for lowest in (1.01, 0):
        file = _file(tmp_path, lowest)
        monkeypatch.setattr(registration, "shipped", lambda setting, own=file: own)
        promoted = registry.promote(
            opened.workspace, opened.prepared, opened.study, name=f"gated-{lowest:g}", rule="gated"
        )
        verdicts[lowest] = promoted
    assert verdicts[1.01].alias == "challenger"
    assert "but it passes only 4 of 5 tests of tests-1.01.yaml: scores uar" in verdicts[1.01].reason
    assert verdicts[0].alias == "champion"
    assert verdicts[0].reason.endswith("it passes 5 of 5 tests of tests-0.yaml")
    # The tests are of the validation speakers
    version = opened.workspace.client.get_model_version("gated-0", "1")
    assert version.tags["tests"] == "5 of 5 tests of tests-0.yaml"
    run = opened.workspace.client.get_run(version.run_id)
    found = check_on_validation(opened.workspace, run, opened.prepared, _file(tmp_path, 0))
    assert found[0].value == pytest.approx(run.data.metrics["validation_uar"])


def test_a_champion_that_fails_its_gate_loses_the_alias_and_what_has_passed_is_not_measured_again(
    finished_copy: Any, open_study: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, measured = open_study(finished_copy.root), list[Path]()

    def promoted(rule: str, lowest: float | None = None) -> Any:
        if lowest is not None:
            file = _file(tmp_path, lowest)
            monkeypatch.setattr(registration, "shipped", lambda setting: file)
        return registry.promote(opened.workspace, opened.prepared, opened.study, name="kept", rule=rule)

    def measuring(*given: Any) -> Any:
        measured.append(given[-1])
        return check_on_validation(*given)

    def tags() -> dict[str, str]:
        found: dict[str, str] = opened.workspace.client.get_model_version("kept", "1").tags
        return found

    monkeypatch.setattr(registration, "check_on_validation", measuring)
    assert promoted("better").alias == "champion"
    before = tags()
    passed = [promoted("gated", 0) for _ in range(2)]
    assert [found.alias for found in passed] == ["champion"] * 2
    assert passed[0].reason == "it was registered before; it passes 5 of 5 tests of tests-0.yaml"
    assert len(measured) == 1
    assert (tags()["tests"], tags()["rule"]) == ("5 of 5 tests of tests-0.yaml", "gated")
    changed = {"tests", "tests_file", "rule", "verdict"}
    assert {key: tag for key, tag in tags().items() if key not in changed} == {
        key: tag for key, tag in before.items() if key not in changed
    }
    failed = promoted("gated", 1.01)
    assert (failed.alias, len(measured)) == ("challenger", 2)
    assert "passes only 4 of 5 tests of tests-1.01.yaml" in failed.reason
    assert failed.reason.endswith("; it was champion, which kept now lacks")
    assert set(opened.workspace.client.get_registered_model("kept").aliases) == {"challenger"}
    # A challenger is measured before others have to wait for it, and once
    assert (promoted("gated", 0).alias, len(measured)) == ("champion", 3)
    assert set(opened.workspace.client.get_registered_model("kept").aliases) == {"champion"}
