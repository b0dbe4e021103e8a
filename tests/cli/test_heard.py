"""A nested search over adaptations, and its curve by utterances heard."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

STUDY = """
name: heard
features: {name: logmelspec}
model: {name: linear_probe, layers: all, objective: ridge}
adaptation: {kind: prototypes, heard: 1}
study: {trials: 2, sampler: random}
search:
  adaptation.kind: [prototypes, statistics, prior]
  adaptation.by_feature: [true, false]
  adaptation.weight: {low: 0.3, high: 100.0, log: true}
"""


def test_a_nested_search_chooses_the_adaptation_and_has_a_curve(
    call: Callable[..., Any], root: Path, corpus_csv: Path, tmp_path: Path
) -> None:
    (tmp_path / "heard.yaml").write_text(STUDY, encoding="utf-8")
    corpus = ("--corpus", "manifest", "--data", str(corpus_csv))
    found = call(root, "study", tmp_path / "heard.yaml", *corpus, "--nested")
    assert found.code == 0, found.err
    told = call(root, "evaluate", "heard", *corpus, "--heard", "--json")
    assert told.code == 0, told.err
    (record,) = json.loads(told.out)
    assert (
        "networks adapt to each recording by itself and 1 others of its speaker, which are drawn without labels"
        in (record["notes"])
    )
    rows = {row["heard"]: row for row in record["heard"]}
    assert list(rows) == ["0", "1", "3", "all"]
    assert rows["1"]["difference_to_all"] == pytest.approx(rows["1"]["score"] - rows["all"]["score"])
    # The score of the study is that of a draw of as many as its settings have
    assert abs(rows["1"]["score"] - record["scores"][0]["uar"]) < 0.2
