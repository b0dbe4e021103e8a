"""`evaluate`, `matrix`, `compare`, `ablate`, `combine` and `replay` of every task, on registered models."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.annotated_studies import LABELS, NAME, annotated
from tests.read_pages import Page

pytestmark = pytest.mark.slow

METRICS = {
    "dimensions": ["ccc", "pcc", "mae", "rmse"],
    "votes": ["jsd", "kl", "total_variation", "uar", "macro_f1"],
    "several": ["macro_f1", "map"],
}
OUTPUTS = {"dimensions": "dimensions", "votes": "emotions", "several": "emotions"}
PICTURES = {"dimensions": {"ratings.png"}, "votes": {"calibration.png"}, "several": set[str]()}


def _found(call: Callable[..., Any], root: Path, *arguments: str | Path) -> Any:
    told = call(root, *arguments)
    assert told.code == 0, told.err
    return json.loads(told.out)


@pytest.mark.parametrize("label", LABELS)
def test_fold_networks_score_as_at_their_promotion(
    copied: tuple[Path, Path], call: Callable[..., Any], open_study: Callable[..., Any], label: str
) -> None:
    root, table = copied
    model, corpus = f"{NAME}@{label}", ("--corpus", "manifest", "--data", table)
    (found,) = _found(call, root, "evaluate", model, *corpus, "--json")
    opened = open_study(root, f"annotated-{label}-linear_probe-logmelspec")
    client = opened.workspace.client
    version = client.get_model_version_by_alias(NAME, label)
    promoted = client.get_run(version.run_id).data.metrics
    overall = found["scores"][0]
    for name in METRICS[label]:
        assert overall[name] == pytest.approx(promoted[f"test_{name}"], abs=1e-9), name
    assert "classes" not in overall
    assert found[OUTPUTS[label]] == LABELS[label]
    assert ("share_error" in found, len(found["coverage"]) > 0, "ece" in found) == (label == "votes",) * 2 + (False,)
    stored = {artifact.path for artifact in client.list_artifacts(found["run"])}
    assert stored == {f"evaluation_{name}" for name in ({"predictions.csv", "scores.csv"} | PICTURES[label])}
    card = client.get_model_version(NAME, version.version).description
    assert f"| corpus | {OUTPUTS[label]} |" in card.partition("## Evaluations")[2]
    call(root, "evaluate", model, *corpus, "--calibrate").refused("--calibrate fits a temperature of the probabilities")


def test_another_corpus_is_judged_by_what_it_shares(
    copied: tuple[Path, Path], call: Callable[..., Any], make_corpus: Callable[..., Path], tmp_path: Path
) -> None:
    renamed = {"arousal": "target_activation", "votes_anger": "votes_Angry", "valence": "meta_v"}
    table = annotated(make_corpus(tmp_path / "elsewhere", ("eve", "fay"), seed=1), renamed)
    models = [argument for label in LABELS for argument in ("--models", f"{NAME}@{label}")]
    corpora = ("--corpora", f"manifest={table}", "--map", "annotated:activation=arousal")
    cells = _found(call, copied[0], "matrix", *models[:2], *corpora, "--format", "json")
    assert cells[0]["dimensions"] == 1
    assert cells[0]["ccc_low"] <= cells[0]["ccc"] <= cells[0]["ccc_high"]
    told = call(copied[0], "matrix", *models, "--corpora", f"manifest={table}", "--format", "csv")
    assert told.code == 0, told.err
    dimensions, votes, several = csv.DictReader(told.out.splitlines())
    assert "share none; expected at least one; pass --map" in dimensions["reason"]
    assert (votes["emotions"], several["emotions"], votes["reason"]) == ("2", "3", "")
    assert float(votes["jsd"]) >= 0


@pytest.mark.parametrize("label", LABELS)
def test_trials_are_replayed_changed_compared_and_combined(
    copied: tuple[Path, Path], call: Callable[..., Any], label: str
) -> None:
    root, table = copied
    objective = METRICS[label][0]
    score = f"validation_{objective}"
    (replayed,) = _found(call, root, "replay", f"annotated-{label}-linear_probe-logmelspec", "--json")
    assert replayed["identical"] is True
    unchanged, changed = _found(
        call,
        root,
        *("ablate", "--model", "linear_probe", "--features", "logmelspec", "--set", "features.n_mels=8", "--name", "a"),
        *("--corpus", "manifest", "--data", table, "--task", label, "--change", "features.n_mels=12", "--json"),
    )
    assert changed["difference"] == pytest.approx(changed[score] - unchanged[score], abs=1e-5)
    pair = (changed["study"], unchanged["study"])
    (compared,) = _found(call, root, "compare", *pair, "--json")
    assert compared[f"{objective}_difference"] == pytest.approx(changed["difference"], abs=1e-5)
    assert "confusions" not in compared
    assert compared[OUTPUTS[label]] == LABELS[label]
    told = call(root, "compare", *pair, "--html", root / "page.html")
    assert (told.code, "confusion" in told.out) == (0, False)
    page = Page((root / "page.html").read_text(encoding="utf-8"))
    assert ("Confusion" in page.text, "only A is right" in page.text) == (False, False)
    (combined,) = _found(call, root, "combine", *pair, "--as", "both", "--json")
    metrics = combined["promotion"]["metrics"]
    assert {f"{side}_{name}" for side in ("validation", "test") for name in METRICS[label]} <= metrics.keys()
