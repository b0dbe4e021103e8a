"""The sound of recordings is compared once for the searches of a nested study and for the workers of a search."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ser_tune.protocol import Prepared, leaks
from ser_tune.search import trainer


def test_sounds_are_compared_once_for_all_searches_and_not_in_the_processes_that_a_search_starts(
    study: Callable[..., Prepared], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, cache, counted = study(), tmp_path / "cache", list[int]()

    def count(fingerprints: tuple[np.ndarray, ...]) -> list[object]:
        counted.append(len(fingerprints))
        return []

    monkeypatch.setattr(leaks, "near_identical", count)
    monkeypatch.setattr(leaks, "_compared", {})
    monkeypatch.setattr(trainer, "refuse_fitted_leaks", lambda *_: counted.append(0))
    trainer.Trainer(prepared, cache, led=True)
    assert counted == []
    for _ in range(2):
        trainer.Trainer(prepared, cache)
    assert counted == [len(prepared.corpus.utterances), 0, 0]
    trainer.Trainer(study(lambda _, rows: rows.pop()), cache)
    assert counted[3:] == [len(prepared.corpus.utterances) - 1, 0]
