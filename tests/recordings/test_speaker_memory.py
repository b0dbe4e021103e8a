"""What is remembered of a speaker between calls."""

import json
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from ser_tune import api
from ser_tune.architectures import ARCHITECTURES
from ser_tune.audio import Heard
from ser_tune.config import AdaptationSettings, NormalisationSettings, SegmentSettings
from ser_tune.errors import ConfigError, StorageError
from ser_tune.features import FEATURE_SETS, Scaling
from ser_tune.prediction import Predictor, Prototypes, Recipe
from ser_tune.project import Project
from ser_tune.recordings import SpeakerMemory
from ser_tune.tracking import LoadedModel

BANDS = 24


@pytest.fixture
def heard() -> list[Heard]:
    rng = np.random.default_rng(0)
    return [Heard(f"{n}.wav", rng.normal(0, 0.1, 8000 + 800 * n).astype(np.float32)) for n in range(6)]


def _model(kind: str, *, scope: str = "train") -> LoadedModel:
    recipe = Recipe(
        labels=("anger", "joy", "sadness"),
        model=ARCHITECTURES.get("linear_probe").settings.model_validate({"name": "linear_probe", "layers": "all"}),
        features=FEATURE_SETS.get("logmelspec").settings.model_validate({"name": "logmelspec", "n_mels": BANDS}),
        shape=(1, BANDS),
        hop_s=0.01,
        segments=SegmentSettings(frames=None),
        normalisation=NormalisationSettings.model_validate({"scope": scope}),
        adaptation=AdaptationSettings.model_validate({"kind": kind}),
        aggregation="mean_log_softmax",
    )
    rng, networks = np.random.default_rng(0), []
    for seed in range(2):
        torch.manual_seed(seed)
        networks.append(recipe.build_network())
    scaling = Scaling(np.full((1, BANDS), -40, dtype=np.float32), np.full((1, BANDS), 10, dtype=np.float32))
    classes = Prototypes(rng.normal(size=(3, 1, BANDS)).astype(np.float32), np.full(3, 1 / 3, dtype=np.float32))
    known = kind in ("prototypes", "prior")
    prototypes = [classes if known else None] * 2
    return LoadedModel(Predictor(recipe, networks, [None if kind == "none" else scaling] * 2, prototypes=prototypes))


@pytest.mark.parametrize("kind", ["statistics", "prototypes", "prior"])
def test_calls_one_after_another_know_what_one_call_knows(kind: str, heard: list[Heard], tmp_path: Path) -> None:
    model = _model(kind)
    known = None
    for recording in heard:
        memory = SpeakerMemory.open(model, "anna", tmp_path)
        assert memory.utterances == len(memory.digests) == heard.index(recording)
        (found,) = memory.predict(model, [recording])
        assert memory.basis == ("alone" if known is None else "causal")
        assert memory.remember(model) == 1
        known = found
    fresh = SpeakerMemory.open(model, "everything at once", tmp_path)
    together = fresh.predict(model, heard)
    assert fresh.basis == "transductive"
    assert known is not None
    # A prior is estimated jointly in one call
    assert known.numbers == pytest.approx(together[-1].numbers, abs=0.05 if kind == "prior" else 2e-3)
    alone = SpeakerMemory.open(model, "somebody else", tmp_path).predict(model, heard[-1:])
    assert alone[0].numbers != pytest.approx(known.numbers, abs=1e-5)


def test_a_recording_counts_once_and_the_file_holds_statistics_alone(heard: list[Heard], tmp_path: Path) -> None:
    model = _model("statistics")
    for expected in (3, 0):
        memory = SpeakerMemory.open(model, "anna", tmp_path)
        memory.predict(model, heard[:3])
        assert memory.remember(model) == expected
    (file,) = (tmp_path / "anna").iterdir()
    content = json.loads(file.read_text(encoding="utf-8"))
    assert content["utterances"] == 3
    assert set(content) == {
        *("speaker", "utterances", "adaptation", "remembered", "note", "sounds", "statistics"),
    }
    assert file.stat().st_size < 5000
    file.unlink()
    assert SpeakerMemory.open(model, "anna", tmp_path).before is None


def test_models_share_what_is_remembered_only_where_it_means_the_same() -> None:
    assert _model("statistics").evidence_key() != _model("prototypes").evidence_key()
    assert _model("statistics").evidence_key() == _model("statistics").evidence_key()


def test_a_model_that_normalises_by_speaker_uses_what_is_remembered(heard: list[Heard], tmp_path: Path) -> None:
    model = _model("none", scope="speaker")
    first = SpeakerMemory.open(model, "anna", tmp_path)
    first.predict(model, heard[:3])
    first.remember(model)
    (causal,) = SpeakerMemory.open(model, "anna", tmp_path).predict(model, heard[3:4])
    assert causal.numbers == pytest.approx(model.predict_heard(heard[:4])[3].numbers, abs=2e-3)


def test_names_models_and_files_that_cannot_be_used_are_refused(heard: list[Heard], tmp_path: Path) -> None:
    model = _model("statistics")
    for name in ("", " ", "../anna", ".anna", "a\nb", "a" * 200, "日" * 100, "anna ", "\ud800"):
        with pytest.raises(ConfigError, match="expected a name of at most 100 characters"):
            SpeakerMemory.open(model, name, tmp_path)
    with pytest.raises(ConfigError, match="the model judges every recording by itself"):
        SpeakerMemory.open(_model("none"), "anna", tmp_path)
    memory = SpeakerMemory.open(model, "anna", tmp_path)
    memory.predict(model, heard[:2])
    memory.remember(model)
    memory.file.write_text(memory.file.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    with pytest.raises(StorageError, match="delete the file to begin again"):
        SpeakerMemory.open(model, "anna", tmp_path)


def test_calls_at_the_same_time_lose_nothing_of_each_other(heard: list[Heard], tmp_path: Path) -> None:
    model = _model("statistics")
    memories = [SpeakerMemory.open(model, "anna", tmp_path) for _ in heard]
    for memory, recording in zip(memories, heard, strict=True):
        memory.predict(model, [recording])
    # Each was opened before any other remembered
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(lambda memory: memory.remember(model), memories)) == [1] * len(heard)
    assert SpeakerMemory.open(model, "anna", tmp_path).utterances == len(heard)


def test_a_name_is_the_same_in_both_forms_of_unicode(heard: list[Heard], tmp_path: Path) -> None:
    model = _model("statistics")
    memory = SpeakerMemory.open(model, unicodedata.normalize("NFD", "Zoë"), tmp_path)
    memory.predict(model, heard[:1])
    memory.remember(model)
    assert SpeakerMemory.open(model, unicodedata.normalize("NFC", "Zoë"), tmp_path).utterances == 1


@pytest.mark.parametrize(
    "change",
    [
        {"statistics": ["mean"]},
        {"statistics": []},
        {"statistics": [{}]},
        {"statistics": {"mean": 1}},
        {"utterances": 7},
        {"sounds": None},
        {"statistics": [{"utterances": {"shape": [1], "float32": "AADAfw=="}}]},
    ],
)
def test_what_is_remembered_is_refused_where_any_part_is_damaged(
    change: dict[str, object], heard: list[Heard], tmp_path: Path
) -> None:
    model = _model("statistics")
    memory = SpeakerMemory.open(model, "anna", tmp_path)
    memory.predict(model, heard[:2])
    memory.remember(model)
    content = json.loads(memory.file.read_text(encoding="utf-8"))
    for text in (json.dumps({**content, **change}), json.dumps([content]), "[" * 100_000, "\udcff"):
        memory.file.write_text(text, encoding="utf-8", errors="surrogateescape")
        with pytest.raises(StorageError, match="delete the file to begin again"):
            SpeakerMemory.open(model, "anna", tmp_path)


def test_listening_takes_a_remembered_speaker_and_refuses_one_of_whom_nothing_is_remembered(
    heard: list[Heard], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, given = _model("none", scope="speaker"), list[object]()

    class Silent:
        name = "fake"

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    def follow(*_: object, before: object, **__: object) -> Iterator[object]:
        given.append(before)
        return iter(())

    monkeypatch.setattr("ser_tune.recordings.Microphone", lambda device: Silent())
    monkeypatch.setattr("ser_tune.recordings.SpeechDetector", lambda: None)
    monkeypatch.setattr("ser_tune.recordings.follow", follow)
    with pytest.raises(ConfigError, match="or with --speaker a remembered one"):
        list(api.listen(model, project=project))
    with pytest.raises(ConfigError, match="nothing is remembered of speaker 'anna' for this model"):
        list(api.listen(model, speaker="anna", project=project))
    memory = SpeakerMemory.open(model, "anna", project.speakers)
    memory.predict(model, heard[:2])
    memory.remember(model)
    assert list(api.listen(model, speaker="anna", project=project)) == []
    assert given[0] is not None
