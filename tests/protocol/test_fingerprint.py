"""The fingerprint changes when the meaning of a score changes, and only then."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser_tune.definition import Difference
from ser_tune.errors import ConfigError, ProtocolError
from ser_tune.project import Project
from ser_tune.protocol import Protocol, prepare
from tests.corpus_tables import EMOTIONS, SPEAKERS, Row, write_table

QUICK = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
Of = Callable[..., Protocol]

OTHER_STUDY = """
model: {name: 3d_acrnn, width: 0.5}
features: {name: logspec, n_bins: 80}
protocol: {folds: 3}
"""


# What changes no meaning


@pytest.mark.parametrize(
    "flags",
    [
        {"training.epochs": 9, "training.batch_size": 64, "training.schedule": "cosine"},
        {"optimizer.learning_rate": 0.1, "optimizer.name": "sgd"},
        {"model.width": 0.5, "model.dropout": 0.3},
        {"model.name": "fcn_attention"},
        {"features.n_mels": 40, "features.hop_s": 0.01},
        {"segments.frames": 128, "segments.hop_frames": 30},
        {"augmentation.mixup": True, "loss.class_weighting": "balanced"},
        {"normalisation.kind": "minmax"},
        {"seed": 7, "name": "other"},
        {"study.trials": 7, "study.pruner": "none", "study.sampler": "random", "study.promotion": "confident"},
        {"protocol.emotions": ("joy", "anger", "fear")},
        {"protocol.merge": ("joy=joy",)},
        {"protocol.fold_limit": 3},
        {"protocol.fold_limit": 99},
    ],
    ids=lambda flags: ", ".join(flags),
)
def test_what_decides_how_good_a_network_gets_or_says_the_same_leaves_the_fingerprint(
    of: Of, table: Path, flags: dict[str, object]
) -> None:
    here, other = of(table), of(table, **flags)
    assert other.fingerprint == here.fingerprint
    assert other.differences(here) == []


def test_patience_only_saves_time_where_validation_chooses_the_epoch_anyway(of: Of, table: Path) -> None:
    chosen = {"training.selection": "best_validation_score"}
    assert of(table, **chosen, **{"training.patience": 3}).fingerprint == of(table, **chosen).fingerprint


def test_another_network_of_other_features_has_the_same_fingerprint(of: Of, table: Path, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(OTHER_STUDY, encoding="utf-8")
    assert of(table, file=tmp_path / "other.yaml").fingerprint == of(table).fingerprint


SEARCHED = """
model: {name: linear_probe}
features: {name: logmelspec}
adaptation: {kind: prototypes, heard: 3}
search: {adaptation.kind: [KINDS]}
"""


def test_all_kinds_of_adaptation_that_a_search_chooses_among_are_in_its_protocol(
    of: Of, table: Path, tmp_path: Path
) -> None:
    def adaptation(*kinds: str, **flags: object) -> object:
        (tmp_path / "searched.yaml").write_text(SEARCHED.replace("KINDS", ", ".join(kinds)), encoding="utf-8")
        return of(table, file=tmp_path / "searched.yaml", **flags).facts["adaptation"]

    assert (
        adaptation("prior", "statistics") == adaptation("statistics", "prior") == "prior or statistics, 3 others heard"
    )
    assert adaptation("prior", **{"adaptation.kind": "statistics"}) == "statistics, 3 others heard"
    with pytest.raises(ConfigError, match=r"adaptation\.heard is 3, but adaptation\.kind is none"):
        adaptation("none", "prior")


def test_a_search_over_kinds_needs_a_task_that_fits_them_all(of: Of, table: Path, tmp_path: Path) -> None:
    (tmp_path / "searched.yaml").write_text(
        SEARCHED.replace("KINDS", "statistics, prior").replace("kind: prototypes", "kind: statistics"), encoding="utf-8"
    )
    with pytest.raises(ConfigError, match=r"adaptation\.kind is prior, which takes probabilities of classes"):
        of(table, file=tmp_path / "searched.yaml", **{"task.name": "dimensions"})


def test_a_number_of_folds_that_is_the_usual_one_says_nothing_new(of: Of, table: Path) -> None:
    assert of(table, **{"protocol.folds": "none"}).fingerprint == of(table, **{"protocol.folds": 5}).fingerprint


def test_the_order_in_which_speakers_are_held_out_means_nothing(of: Of, table: Path) -> None:
    orders = [("ada", "fay"), ("fay", "ada"), ("fay", "ada", "fay")]
    assert len({of(table, **{"protocol.holdout": one}).fingerprint for one in orders}) == 1


@pytest.mark.slow
@QUICK
@given(data=st.data())
def test_neither_place_names_nor_order_of_the_files_change_the_fingerprint(
    of: Of, rows: list[Row], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    names = data.draw(st.permutations(range(len(rows))))
    folder, moved = tmp_path_factory.mktemp("moved"), []
    for row, number in zip(data.draw(st.permutations(rows)), names, strict=True):
        shutil.copy(row["path"], folder / f"{number}.flac")  # what a file is called is not what it holds
        moved.append(row | {"path": f"{number}.flac"})
    here, there = of(write_table(folder, rows, "here.csv")), of(write_table(folder, moved))
    assert there.fingerprint == here.fingerprint


def test_folds_in_another_order_have_the_same_fingerprint(tiny: Callable[..., Any], project: Project) -> None:
    prepared = prepare(tiny(), project)
    backwards = Protocol.of(prepared.definition, prepared.corpus, prepared.targets, prepared.folds[::-1])
    assert backwards.fingerprint == prepared.protocol.fingerprint


# What changes it


@pytest.mark.parametrize(
    ("flags", "fact"),
    [
        ({"protocol.folds": 4}, "folds is '4: "),
        ({"protocol.folds": "none"}, "folds is '5: "),
        ({"protocol.fold_limit": 2}, "folds is '2: "),
        ({"protocol.holdout": ("ada",)}, "folds is '3: .*; holdout is 'ada', not 'none'$"),
        ({"protocol.aggregation": "mean_probability"}, "aggregation is 'mean_probability', not 'mean_log_softmax'$"),
        ({"normalisation.scope": "speaker"}, r"normalisation_scope is 'speaker \(transductive\)', not 'train'$"),
        (
            {"normalisation.scope": "speaker", "normalisation.batch_norm": "speaker"},
            r"normalisation_scope is 'speaker \(transductive\), batch norm too', not 'train'$",
        ),
        ({"normalisation.scope": "utterance"}, "normalisation_scope is 'utterance', not 'train'$"),
        ({"training.selection": "best_validation_score"}, "epoch_selection is 'best_validation_uar', not 'last'$"),
        ({"training.patience": 3}, "epoch_selection is 'last, patience 3', not 'last'$"),
        (
            {"protocol.emotions": ("anger", "joy")},
            "corpus_digest is .*; emotions is 'anger, joy', not 'anger, fear, joy'$",
        ),
        (
            {"protocol.merge": ("fear=anger",)},
            "corpus_digest is .*; emotions is 'anger, joy', .*; merged is 'fear=anger', not 'none'$",
        ),
        ({"protocol.merge": ("fear=worry",)}, ".*; emotions is 'anger, joy, worry', .*; merged is 'fear=worry'"),
    ],
    ids=str,
)
def test_a_setting_that_changes_the_meaning_changes_the_fingerprint(
    of: Of, table: Path, flags: dict[str, object], fact: str
) -> None:
    one, other = of(table), of(table, **flags)
    assert one.fingerprint != other.fingerprint
    with pytest.raises(ProtocolError, match=f"^a and b: their protocols differ: {fact}"):
        other.refuse_other(one, "a and b")


@pytest.mark.slow
def test_all_protocols_of_different_settings_differ_from_each_other(of: Of, table: Path) -> None:
    different: list[dict[str, object]] = [
        {},
        *({"protocol.folds": number} for number in (4, 5, 6)),
        *({"protocol.fold_limit": number} for number in (1, 2)),
        *({"protocol.holdout": (speaker,)} for speaker in SPEAKERS),
        {"protocol.holdout": ("ada", "bob")},
        {"protocol.holdout": ("ada", "bob"), "protocol.fold_limit": 2},
        *({"protocol.emotions": tuple(set(EMOTIONS) - {one})} for one in EMOTIONS),
        *({"protocol.merge": (f"fear={one}",)} for one in ("anger", "joy", "worry")),
        *({"normalisation.scope": one} for one in ("utterance", "speaker")),
        {"normalisation.scope": "speaker", "normalisation.batch_norm": "speaker"},
        {"protocol.aggregation": "mean_probability"},
        {"training.selection": "best_validation_score"},
        *({"training.patience": number} for number in (2, 3)),
    ]
    assert len({of(table, **flags).fingerprint for flags in different}) == len(different)


def _relabel(rows: list[Row], number: int, column: str, values: Sequence[str]) -> None:
    rows[number][column] = values[(values.index(rows[number][column]) + 1) % len(values)]


@pytest.mark.slow
@QUICK
@given(
    number=st.integers(0, len(SPEAKERS) * len(EMOTIONS) - 1),
    change=st.sampled_from(("emotion", "speaker", "recording", "removed", "added", "cut")),
)
def test_a_change_of_one_utterance_changes_the_fingerprint(
    of: Of, rows: list[Row], tmp_path_factory: pytest.TempPathFactory, number: int, change: str
) -> None:
    folder, changed = tmp_path_factory.mktemp("changed"), [dict(row) for row in rows]
    recording = shutil.copy(rows[number]["path"], folder)
    if change == "emotion":
        _relabel(changed, number, "emotion", EMOTIONS)
    elif change == "speaker":
        _relabel(changed, number, "speaker", SPEAKERS)
    elif change == "recording":
        Path(recording).write_bytes(b"another sound")
        changed[number]["path"] = str(recording)
    elif change == "removed":
        del changed[number]
    elif change == "added":  # once more, by another name
        changed.append(changed[number] | {"path": str(recording)})
    else:
        changed = [row | {"start": "", "end": ""} for row in changed]
        changed[number] |= {"start": "0.1", "end": "0.2"}
    here, there = of(write_table(folder, rows, "here.csv")), of(write_table(folder, changed))
    assert there.fingerprint != here.fingerprint
    assert [one.path for one in there.differences(here)] == ["corpus_digest"]


def test_another_grouping_into_sessions_changes_the_fingerprint(of: Of, rows: list[Row], tmp_path: Path) -> None:
    def grouped(name: str, *sessions: str) -> Protocol:
        session = {speaker: f"s{number}" for number, group in enumerate(sessions) for speaker in group.split()}
        return of(write_table(tmp_path, [row | {"session": session[row["speaker"]]} for row in rows], name))

    pairs = grouped("a.csv", "ada bob", "cyd dan", "eve fay")
    others = [
        grouped("b.csv", "ada cyd", "bob dan", "eve fay"),
        grouped("c.csv", "ada bob", "cyd dan", "eve", "fay"),
        of(write_table(tmp_path, rows, "d.csv")),
    ]
    assert pairs.fingerprint not in {one.fingerprint for one in others}
    assert grouped("e.csv", "ada bob", "cyd dan", "eve fay").fingerprint == pairs.fingerprint


def test_swapping_who_validates_and_who_is_tested_changes_the_fingerprint(
    tiny: Callable[..., Any], project: Project
) -> None:
    prepared = prepare(tiny(), project)
    swapped = [
        replace(one, validation_speakers=one.test_speakers, test_speakers=one.validation_speakers)
        for one in prepared.folds
    ]
    other = Protocol.of(prepared.definition, prepared.corpus, prepared.targets, swapped)
    assert other.fingerprint != prepared.protocol.fingerprint


def test_a_corpuss_content_is_that_of_its_files_and_another_container_is_another_content(
    of: Of, corpus_csv: Path, tmp_path: Path
) -> None:
    # A codec may change the sound, and hashing reads no codec: the same promise as a download's checksum
    table = shutil.copytree(corpus_csv.parent, tmp_path / "elsewhere") / corpus_csv.name
    assert of(table).fingerprint == of(corpus_csv).fingerprint
    path = table.parent / "ada_anger_0.wav"
    sound, rate = soundfile.read(path)
    soundfile.write(path, sound, rate, format="FLAC")
    assert [one.path for one in of(table).differences(of(corpus_csv))] == ["corpus_digest"]


def test_equal_protocols_are_not_refused(of: Of, table: Path) -> None:
    of(table).refuse_other(of(table), "ranking")


def test_a_fact_that_another_version_did_not_know_is_a_difference(of: Of, table: Path) -> None:
    here = of(table)
    older = Protocol({name: value for name, value in here.facts.items() if name != "holdout"})
    assert older.fingerprint != here.fingerprint
    assert here.differences(older) == [Difference("holdout", "none", None)]


def test_what_few_protocols_have_is_part_of_theirs_alone(of: Of, rows: list[Row], tmp_path: Path) -> None:
    """Names that are taken as written, where they would otherwise be others, and utterances of nobody."""
    usual = of(write_table(tmp_path, rows, "usual.csv"))
    assert of(write_table(tmp_path, rows, "usual.csv"), **{"corpus.names_as_written": ("ada", "x")}) == usual
    unknown = [row | ({"speaker": "nan"} if row["speaker"] == "ada" else {}) for row in rows]
    protocol = of(write_table(tmp_path, unknown, "unknown.csv"))
    told = "3 of 18 utterances name no speaker ('nan' (3)): they train and are never held out"
    assert protocol.facts["nobody"] == told
    assert protocol.warnings == (f"{told}; whether held-out speakers speak in them is not known",)
    named = of(write_table(tmp_path, unknown, "unknown.csv"), **{"corpus.names_as_written": ("nan",)})
    assert named.facts["names_as_written"] == ("nan",)
    assert named.warnings == ()
    assert len({usual.fingerprint, protocol.fingerprint, named.fingerprint}) == 3
