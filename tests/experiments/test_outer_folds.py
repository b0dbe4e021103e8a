"""The speakers that the searches of a nested study hold out, and corpora that have too few of them."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_tune.errors import CorpusError, StudyError
from ser_tune.project import Project
from ser_tune.resampling import Interval
from ser_tune.results import OuterFold
from ser_tune.tracking import Predictions, Workspace
from tests.nested_studies import Watch, nested

pytestmark = pytest.mark.slow


def _rewritten(table: Path, **sessions: str) -> Path:
    """A corpus's table, with a column for the sessions of its speakers."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "session"])
        writer.writeheader()
        writer.writerows({**row, "session": sessions[row["speaker"]]} for row in rows)
    return table


def test_with_sessions_the_outer_parts_are_sessions(
    project: Project,
    tiny_of: Callable[..., Any],
    make_corpus: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    speakers = ("1F", "1M", "2F", "2M", "3F", "3M")
    table = _rewritten(make_corpus(tmp_path / "sessions", speakers), **{speaker: speaker[0] for speaker in speakers})
    searches = []

    def search(_: Workspace, prepared: Any, __: None, part: tuple[str, ...]) -> OuterFold:
        """In no time, and right throughout."""
        searches.append(prepared)
        told = [utterance for utterance in prepared.corpus.utterances if utterance.speaker in part]
        emotions, task = prepared.targets.names, prepared.definition.task
        truth = np.array([emotions.index(row.emotion) for row in told])
        names, said_by = tuple(row.id for row in told), tuple(row.speaker for row in told)
        outer = Predictions(task, emotions, names, said_by, truth, truth)
        others = [utterance for utterance in prepared.corpus.utterances if utterance.speaker not in part]
        seen_truth = np.array([emotions.index(other.emotion) for other in others])
        ids, seen_by = tuple(other.id for other in others), tuple(other.speaker for other in others)
        seen = Predictions(task, emotions, ids, seen_by, seen_truth, np.zeros_like(seen_truth))
        return OuterFold("", part, 0, 0.5, Interval(0.4, 0.6), dict.fromkeys(part, 1.0), seen, outer)

    monkeypatch.setattr("ser_tune.experiments.nested.run_study", lambda *_, **__: None)
    monkeypatch.setattr("ser_tune.experiments.nested._outer_fold", search)
    found = nested(project, tiny_of, Watch(), **{"corpus.data": table})
    assert [fold.speakers for fold in found.folds] == [("1F", "1M"), ("2F", "2M"), ("3F", "3M")]
    assert found.protocol.facts["folds"].startswith("3 nested searches, SHA-256 ")
    assert (found.outer["uar"].value, found.optimism) == (1.0, -0.5)
    for fold, prepared in zip(found.folds, searches, strict=True):
        assert prepared.definition.config.protocol.holdout == fold.speakers
        # Within, the speakers of the two sessions that are left take turns
        tested = {fold.test_speakers for fold in prepared.folds}
        assert tested == {(speaker,) for speaker in speakers if speaker not in fold.speakers}


def test_a_study_that_holds_speakers_out_is_not_nested(project: Project, tiny_of: Callable[..., Any]) -> None:
    with pytest.raises(StudyError, match=r"holds every speaker out in turn; leave out protocol\.holdout"):
        nested(project, tiny_of, Watch(), **{"protocol.holdout": ["dan"]})


def test_a_search_with_too_few_speakers_left_is_refused_before_the_first_runs(
    project: Project, tiny_of: Callable[..., Any], make_corpus: Callable[..., Path], tmp_path: Path
) -> None:
    watch = Watch()
    table = make_corpus(tmp_path / "three", ("ada", "bob", "cyd"))
    with pytest.raises(CorpusError, match=r"has 2 speaker\(s\) to fold after holding out ada .* need at least 3"):
        nested(project, tiny_of, watch, **{"corpus.data": table})
    assert not watch.started


def test_nested_and_holdout_are_refused_together(
    call: Callable[..., Any], root: Path, study_file: Path, corpus_csv: Path
) -> None:
    told = call(root, "study", study_file, "--corpus", "manifest", "--data", corpus_csv, "--nested", "--holdout", "dan")
    assert (told.code, told.out) == (2, "")
    assert "leave out protocol.holdout (--holdout)" in told.err
