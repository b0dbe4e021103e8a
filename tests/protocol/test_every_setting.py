"""Every setting that a user can write changes a protocol's fingerprint, or is listed here with the reason why not."""

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ser_tune.config.leaves import Leaf, leaves
from ser_tune.errors import ConfigError
from ser_tune.protocol import Protocol
from tests.corpus_tables import EMOTIONS, SPEAKERS, Row, write_table

Of = Callable[..., Protocol]
Flags = Mapping[str, object]

NETWORK = "decides how good a network gets, not what its score means"
MACHINE = "decides where folds are trained, and how fast"
SEARCH = "decides which trials there are; a score is of a single trial"
ANY_NAME = "may be any name"
MEANINGLESS = {
    **dict.fromkeys(("model", "features", "loss", "segments", "augmentation", "optimizer", "balance", "seed"), NETWORK),
    **dict.fromkeys(("normalisation.kind", "training"), NETWORK),
    **dict.fromkeys(("name", "corpus.label"), ANY_NAME),
    "adaptation.by_feature": "the same recordings adapt a network, some features more",
    "adaptation.weight": "the same recordings adapt a network, more or less",
    "perturbation": "copies are of training speakers; validation and test speakers are heard as recorded",
    "alignment": "reads training speakers, and unlabelled speech, which is a fact",
    "corpus.data": "a corpus may lie anywhere; its digest is a fact",
    "study": SEARCH,
    **dict.fromkeys(("study.keep_models", "study.promotion", "study.tests"), "decides what is registered"),
    **dict.fromkeys(
        (
            *("study.workers", "study.parallel", "study.per_gpu", "study.executor", "study.ray_address"),
            *("study.gpus_per_fold", "study.grace_s", "training.precision", "training.device", "training.threads"),
        ),
        MACHINE,
    ),
}
"""Settings, or whole sections, that change no fingerprint, but for those below."""
UNION: Flags = {"corpus.name": "union", "corpus.union": ("manifest=one.csv", "manifest=two.csv"), "corpus.data": None}
HEARD: Flags = {"adaptation.kind": "prototypes"}
BY_SPEAKER: Flags = {"normalisation.scope": "speaker"}
SCHEMED: Flags = {**UNION, "protocol.folds": "none"}
TESTED: Flags = {**SCHEMED, "protocol.scheme": "train-test", "protocol.test_corpora": ("one",)}
ADVERSARIAL: Flags = {**UNION, "alignment.kind": "adversarial"}
MEANINGFUL: Mapping[str, tuple[Flags, tuple[object, ...]]] = {
    "corpus.name": ({}, ()),
    "corpus.task": ({"corpus.data": "votes.csv"}, ("votes",)),
    "corpus.union": (UNION, (("manifest=one.csv", "manifest=three.csv"),)),
    "corpus.mapping": (UNION, ("valence", "map.csv")),
    "corpus.unlabelled": (ADVERSARIAL, ("sounds", "others")),
    "corpus.names_as_written": ({"corpus.data": "nan.csv"}, (("nan",),)),
    "task.name": ({}, ()),
    "normalisation.scope": (UNION, ("utterance", "speaker", "corpus")),
    "normalisation.batch_norm": (BY_SPEAKER, ("speaker",)),
    "adaptation.kind": ({}, ("statistics", "prototypes", "prior")),
    "adaptation.heard": (HEARD, (0, 1, 10)),
    "protocol.scheme": (SCHEMED, ("leave-one-corpus-out", "leave-one-language-out")),
    "protocol.test_corpora": (TESTED, (("two",),)),
    "protocol.folds": ({}, (4, 5)),
    "protocol.folds_file": ({"protocol.folds": "none"}, ("folds.csv",)),
    "protocol.fold_limit": ({}, (1, 2)),
    "protocol.holdout": ({}, (("ada",), ("fay",))),
    "protocol.text_independent": ({"corpus.data": "texts.csv", "protocol.folds": 6}, (True,)),
    "protocol.near_identical": ({}, ("allow",)),
    "protocol.emotions": ({}, (("anger", "joy"),)),
    "protocol.styles": ({}, ()),
    "protocol.merge": ({}, (("fear=joy",),)),
    "protocol.aggregation": ({}, ("mean_probability",)),
    "training.patience": ({}, (3,)),
    "training.selection": ({}, ("best_validation_score", "best_validation_loss", "smoothed_validation_score")),
    "study.objectives": ({}, (("wa",), ("uar", "wa"))),
}
"""Settings that change the fingerprint: the settings that each needs, and values with unlike fingerprints.

Without values here: another corpus has another digest, styles are those of few corpora, and `corpus.task` brings tasks.
"""
UNTRIED = {
    "features.name": "it has other settings; the next-door test has other features and another network",
    "loss.name": "a single loss is for classes",
    "model.weights": "others are downloaded",
    "study.warm_start": "studies to start from have the same protocol",
}
"""Settings of which no other value is tried alone, and why."""
COMPANIONS: Mapping[str, Flags] = {
    "adaptation": HEARD,
    "balance": UNION,
    "training": {"training.schedule": "cosine"},
    "study.prefer": {"study.objectives": ("uar", "wa")},
    "alignment": ADVERSARIAL,
    "perturbation": {"perturbation.copies": 1, "perturbation.pitch_semitones": 1.0, "perturbation.noise_snr_db": 10.0},
}
"""What a setting, or the settings of a section, need."""


@pytest.fixture
def folder(rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tables, recordings and files that settings name, in the current folder."""
    languages = {name: "de" if name in SPEAKERS[:3] else "ur" for name in SPEAKERS}
    told = [row | {"language": languages[row["speaker"]]} for row in rows]
    write_table(tmp_path, told, "corpus.csv")
    write_table(tmp_path, told[:9], "one.csv")
    write_table(tmp_path, told[9:], "two.csv")
    write_table(tmp_path, told[9:15], "three.csv")
    write_table(tmp_path, [row | {"speaker": row["speaker"].replace("ada", "nan")} for row in rows], "nan.csv")
    texts = dict(zip(SPEAKERS, "abcabc", strict=True))
    write_table(tmp_path, [row | {"text": texts[row["speaker"]]} for row in rows], "texts.csv")
    votes = [row | {f"votes_{name}": str(int(name == row["emotion"])) for name in EMOTIONS} for row in rows]
    write_table(tmp_path, votes, "votes.csv")
    mapping = [
        {"corpus": "*", "emotion": name, "class": label}
        for name, label in zip(EMOTIONS, ("bad", "bad", "good"), strict=True)
    ]
    write_table(tmp_path, mapping, "map.csv")
    sides = ("train", "train", "train", "train", "validation", "test")
    split = dict(zip(SPEAKERS, sides, strict=True))
    folds = [{"path": row["path"], "fold": "1", "split": split[row["speaker"]]} for row in rows]
    write_table(tmp_path, folds, "folds.csv")
    for name, some in (("sounds", rows[:2]), ("others", rows[:3])):
        (tmp_path / name).mkdir()
        for row in some:
            shutil.copy(row["path"], tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _found(of: Of, flags: Flags) -> Protocol:
    return of(Path("corpus.csv"), **flags)


def _all_leaves(tiny: Callable[..., Any]) -> list[Leaf]:
    return list(leaves(type(tiny().config)))


def _reason(path: str) -> str | None:
    """Why a setting changes no fingerprint, by itself or by its section."""
    return MEANINGLESS.get(path, MEANINGLESS.get(path.partition(".")[0]))


def test_every_setting_is_listed_once(tiny: Callable[..., Any]) -> None:
    paths = {leaf.path for leaf in _all_leaves(tiny)}
    assert {path for path in paths if path not in MEANINGFUL and _reason(path) is None} == set()
    listed = {*MEANINGFUL, *MEANINGLESS} - {"task.name"}
    assert {path for path in listed if path not in paths and "." in path} == set()
    assert set(MEANINGFUL) & set(MEANINGLESS) == set()


@pytest.mark.parametrize("path", [path for path, (_, values) in MEANINGFUL.items() if values])
def test_each_value_has_a_fingerprint_of_its_own(of: Of, folder: Path, path: str) -> None:
    base, values = MEANINGFUL[path]
    found = [_found(of, base).fingerprint, *(_found(of, {**base, path: value}).fingerprint for value in values)]
    assert len(set(found)) == 1 + len(values)


def _others(leaf: Leaf, present: object) -> list[object]:
    """Values of a setting that differ from its present one; not all of them are valid."""
    if " | " in leaf.type_name and not leaf.several:
        choices = [word for word in leaf.type_name.split(" | ") if word not in ("none", str(present).lower())]
        return [word == "true" if word in ("true", "false") else word for word in choices]
    if leaf.number is not None:
        near = [present / 2] if isinstance(present, int | float) else []
        steps = [*near, 0.5, 2, 1, 0.03, 20, 64, 3000, 4, -20]
        return [leaf.number(step) for step in steps if leaf.number(step) != present]
    words: dict[str, list[object]] = {
        "name": ["another"],
        "corpus.data": ["again.csv"],
        "corpus.label": ["another"],
        "training.threads": [1],
        "study.sampler": ["random"],
        "study.pruner": ["none"],
        "study.promotion": ["always"],
        "study.keep_models": [3],
        "study.prefer": ["wa"],
        "study.executor": ["ray"],
        "study.ray_address": ["auto"],
        "study.tests": ["studies/gates/default.yaml"],
        "model.name": ["fcn_attention"],
    }
    return words.get(leaf.path, [])


def test_no_other_setting_changes_the_fingerprint(of: Of, folder: Path, tiny: Callable[..., Any]) -> None:
    shutil.copy(folder / "corpus.csv", folder / "again.csv")
    known, unchanged = dict[str, str](), set[str]()
    for leaf in _all_leaves(tiny):
        if leaf.path in MEANINGFUL or leaf.path in UNTRIED:
            continue
        base = COMPANIONS.get(leaf.path, COMPANIONS.get(leaf.path.partition(".")[0], {}))
        if (key := str(sorted(base))) not in known:
            known[key] = _found(of, base).fingerprint
        for value in _others(leaf, leaf.default):
            with suppress(ConfigError):  # not a valid value
                assert _found(of, {**base, leaf.path: value}).fingerprint == known[key], leaf.path
                unchanged.add(leaf.path)
                break
    expected = {leaf.path for leaf in _all_leaves(tiny)} - {*MEANINGFUL, *UNTRIED}
    assert expected - unchanged == set()
