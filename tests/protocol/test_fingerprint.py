"""The fingerprint changes when the meaning of a score changes, and only then."""

import csv
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser_tune.config import Project
from ser_tune.definition import Difference
from ser_tune.errors import ProtocolError
from ser_tune.folds import Fold
from ser_tune.protocol import Protocol, prepare

QUICK = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
SPEAKERS, EMOTIONS = ("ada", "bob", "cyd", "dan", "eve", "fay"), ("anger", "fear", "joy")
Row = dict[str, str]
Of = Callable[..., Protocol]

OTHER_STUDY = """
model: {name: 3d_acrnn, width: 0.5}
features: {name: logspec, n_bins: 80}
protocol: {folds: 3}
"""


@pytest.fixture(scope="module", autouse=True)
def _recordings_lie_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Several tables name the same recordings, which are not below the tables' folders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_TUNE_MANIFEST_PATHS", str(tmp_path_factory.getbasetemp()))
        yield


@pytest.fixture
def of(tiny: Callable[..., Any], tmp_path: Path) -> Of:
    """The protocol of a tiny study with other settings: `of(table, **{"protocol.folds": 4})`."""
    project = Project(tmp_path, "sqlite://", "sqlite://", cache=tmp_path / "cache")

    def _of(data: Path, **flags: object) -> Protocol:
        return prepare(tiny(**{"corpus.data": data} | flags), project).protocol

    return _of


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Recordings of six speakers by absolute path; a fingerprint hashes them and decodes none."""
    folder, rows = tmp_path_factory.mktemp("recordings"), []
    for speaker in SPEAKERS:
        for emotion in EMOTIONS:
            path = folder / f"{speaker}_{emotion}.wav"
            path.write_bytes(path.name.encode())
            rows.append({"path": str(path), "speaker": speaker, "emotion": emotion})
    return rows


def _table(folder: Path, rows: Sequence[Row], name: str = "corpus.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / name


@pytest.fixture
def table(rows: list[Row], tmp_path: Path) -> Path:
    return _table(tmp_path, rows)


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
    here, there = of(_table(folder, rows, "here.csv")), of(_table(folder, moved))
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
    here, there = of(_table(folder, rows, "here.csv")), of(_table(folder, changed))
    assert there.fingerprint != here.fingerprint
    assert [one.path for one in there.differences(here)] == ["corpus_digest"]


def test_another_grouping_into_sessions_changes_the_fingerprint(of: Of, rows: list[Row], tmp_path: Path) -> None:
    def grouped(name: str, *sessions: str) -> Protocol:
        session = {speaker: f"s{number}" for number, group in enumerate(sessions) for speaker in group.split()}
        return of(_table(tmp_path, [row | {"session": session[row["speaker"]]} for row in rows], name))

    pairs = grouped("a.csv", "ada bob", "cyd dan", "eve fay")
    others = [
        grouped("b.csv", "ada cyd", "bob dan", "eve fay"),
        grouped("c.csv", "ada bob", "cyd dan", "eve", "fay"),
        of(_table(tmp_path, rows, "d.csv")),
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


# Tasks, speaking styles and merges, of a corpus that has them


@pytest.fixture(scope="module")
def iemocap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """IEMOCAP's layout: three sessions, one turn of some emotions by each speaker in each style."""
    root = tmp_path_factory.mktemp("iemocap")
    for session in (1, 2, 3):
        for style in ("impro", "script"):
            dialog = f"Ses0{session}F_{style}01"
            recordings = root / f"Session{session}" / "sentences" / "wav" / dialog
            labels = root / f"Session{session}" / "dialog" / "EmoEvaluation"
            recordings.mkdir(parents=True)
            labels.mkdir(parents=True, exist_ok=True)
            lines = []
            for gender in "FM":
                for number, label in enumerate(("ang", "hap", "exc", "neu", "sad", "fru")):
                    turn = f"{dialog}_{gender}{number:03}"
                    (recordings / f"{turn}.wav").write_bytes(turn.encode())
                    lines.append(f"[{number}.2901 - {number}.8357]\t{turn}\t{label}\t[2.5000, 2.5000, 2.5000]")
            (labels / f"{dialog}.txt").write_text("\n".join(lines), encoding="utf-8")
    return root


FOUR = ("anger", "happiness", "neutral", "sadness")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # A task is short for settings
        ({}, {"corpus.task": "improvised"}),
        ({}, {"corpus.task": "all", "protocol.styles": ("improvised",), "protocol.emotions": FOUR}),
        (
            {"corpus.task": "merged"},
            {
                "corpus.task": "all",
                "protocol.merge": ("excitement=happiness",),
                "protocol.emotions": FOUR[::-1],
                "protocol.styles": ("scripted", "improvised"),
            },
        ),
        # What is merged into an emotion that is not kept leaves no trace
        (
            {"corpus.task": "merged", "protocol.emotions": ("anger", "neutral")},
            {"corpus.task": "all", "protocol.emotions": ("anger", "neutral")},
        ),
    ],
)
def test_the_same_utterances_and_classes_have_one_fingerprint_however_they_are_chosen(
    of: Of, iemocap: Path, one: dict[str, object], other: dict[str, object]
) -> None:
    here, there = (of(iemocap, **{"corpus.name": "iemocap"} | flags) for flags in (one, other))
    assert there.differences(here) == []
    assert there.fingerprint == here.fingerprint


@pytest.mark.parametrize(
    ("flags", "fact"),
    [
        ({"corpus.task": "merged"}, "corpus_digest .*; merged is 'excitement=happiness', .*; styles is 'improvised, s"),
        ({"corpus.task": "all"}, "corpus_digest .*; emotions is 'anger, excitement, frustration.*; styles is "),
        ({"protocol.styles": ("scripted",)}, "corpus_digest .*; styles is 'scripted', not 'improvised'$"),
        ({"protocol.styles": ("scripted", "improvised")}, "corpus_digest .*; styles is 'improvised, scripted', "),
        ({"protocol.merge": ("excitement=happiness",)}, "corpus_digest .*; merged is 'excitement=happiness', not 'no"),
        ({"protocol.merge": ("frustration=anger",)}, "corpus_digest .*; merged is 'frustration=anger', not 'none'$"),
        ({"protocol.folds": "none"}, "folds is '6: validation/test 1F/1M, 1M/1F, 2F/2M, 2M/2F, 3F/3M, 3M/3F', not '3"),
    ],
    ids=str,
)
def test_other_utterances_or_classes_have_another_fingerprint(
    of: Of, iemocap: Path, flags: dict[str, object], fact: str
) -> None:
    here, there = (of(iemocap, **{"corpus.name": "iemocap"} | one) for one in ({}, flags))
    assert there.fingerprint != here.fingerprint
    with pytest.raises(ProtocolError, match=f"their protocols differ: {fact}"):
        there.refuse_other(here, "ranking")


def test_equal_protocols_are_not_refused(of: Of, table: Path) -> None:
    of(table).refuse_other(of(table), "ranking")


def test_a_fact_that_another_version_did_not_know_is_a_difference(of: Of, table: Path) -> None:
    here = of(table)
    older = Protocol({name: value for name, value in here.facts.items() if name != "holdout"})
    assert older.fingerprint != here.fingerprint
    assert here.differences(older) == [Difference("holdout", "none", None)]


def test_what_mlflow_would_cut_is_stood_for_by_a_hash(tiny: Callable[..., Any], project: Any) -> None:
    prepared = prepare(tiny(), project)

    def _folds(last: str) -> list[Fold]:
        nobody = np.arange(0)
        names = [f"a speaker with a long name {number}" for number in range(200)] + [last]
        return [Fold(place, (name,), ("tested",), nobody, nobody, nobody) for place, name in enumerate(names)]

    one, other = (
        Protocol.of(prepared.definition, prepared.corpus, prepared.targets, _folds(last)) for last in ("x", "y")
    )
    assert one.facts["folds"].startswith("201: validation/test SHA-256 ")
    assert all(len(fact) < 5000 for fact in one.facts.values())
    assert one.fingerprint != other.fingerprint


# Lists


TEXTS = {
    "score": "pooled validation UAR, utterance level",
    "corpus": "emodb",
    "corpus_digest": "d3f1",
    "emotions": "anger boredom disgust",
    "merged": "none",
    "styles": "not told apart",
    "folds": "3: validation/test 03/16 08/03 16/08",
    "holdout": "none",
    "normalisation_scope": "train",
    "aggregation": "mean_log_softmax",
    "epoch_selection": "last",
}
"""The facts of a study as texts, which are hashed."""
DISLIKES = ("anger", "boredom", "disgust")


def test_facts_that_are_lists_have_the_fingerprint_of_their_texts() -> None:
    lists = {"emotions": DISLIKES, "merged": (), "styles": (), "holdout": ()}
    ours = Protocol({**TEXTS, **lists, "folds": ("03/16", "08/03", "16/08")})
    stored = Protocol.read(TEXTS)
    assert stored.fingerprint == ours.fingerprint == "a63915acccc3"
    assert ours.differences(stored) == stored.differences(ours) == []
    for read in (ours, Protocol.read(ours.stored), Protocol.read(ours.tags)):
        assert read.names == DISLIKES
        assert (read.merged, read.styles, read.holdout, read.n_folds) == ((), (), (), 3)
        assert read.fingerprint == "a63915acccc3"
    assert json.loads(json.dumps(ours.stored))["emotions"] == ["anger", "boredom", "disgust"]


# Tasks and objectives


def test_a_study_of_emotions_has_its_task_and_its_objective_without_a_fact(of: Of, table: Path) -> None:
    usual = of(table)
    assert {"task", "task_settings", "objectives", "outputs"}.isdisjoint(usual.facts)
    for protocol in (usual, Protocol.read(TEXTS), Protocol({})):
        assert (protocol.task.name, protocol.objective.name) == ("classification", "uar")
        assert [one.name for one in protocol.metrics] == ["uar", "wa"]
    assert of(table, **{"study.objectives": ("uar",)}) == usual


def test_another_objective_is_part_of_the_protocol(of: Of, table: Path) -> None:
    chosen = {"study.objectives": ("wa",), "training.selection": "best_validation_score"}
    protocol, usual = of(table, **chosen), of(table, **{"training.selection": "best_validation_score"})
    assert [one.path for one in protocol.differences(usual)] == ["epoch_selection", "objectives", "score"]
    assert protocol.facts["score"] == "pooled validation WA, utterance level"
    assert (usual.facts["epoch_selection"], protocol.facts["epoch_selection"]) == (
        "best_validation_uar",
        "best_validation_wa",
    )
    for read in (protocol, Protocol.read(json.loads(json.dumps(protocol.stored))), Protocol.read(protocol.tags)):
        assert [one.name for one in read.metrics] == ["wa", "uar"]
        assert read.names == ("anger", "fear", "joy")


@pytest.mark.usefixtures("plugged")
def test_the_outputs_of_another_task_are_no_emotions(of: Of, table: Path) -> None:
    protocol, usual = of(table, **{"task.name": "levels"}), of(table)
    told = {path: protocol.facts[path] for path in ("task", "objectives", "outputs", "score")}
    score = "pooled validation error rate, utterance level"
    assert told == {"task": "levels", "objectives": ("error",), "outputs": ("low", "high"), "score": score}
    unlike = ["emotions", "objectives", "outputs", "score", "task", "task_settings"]
    assert [one.path for one in protocol.differences(usual)] == unlike
    other = of(table, **{"task.name": "levels", "task.high": ("anger",)})
    assert [one.path for one in protocol.differences(other)] == ["task_settings"]
    for read in (protocol, Protocol.read(protocol.tags)):
        assert (read.task.answer, read.objective.title, read.names) == ("level", "error rate", ("low", "high"))
        assert [one.name for one in read.metrics] == ["error", "uar"]


@pytest.mark.usefixtures("plugged")
def test_words_that_tell_emotions_are_no_leak_of_another_task(of: Of, rows: list[Row], tmp_path: Path) -> None:
    table = _table(tmp_path, [row | {"text": row["emotion"]} for row in rows])
    assert "text_baseline" in of(table).facts
    assert "text_baseline" not in of(table, **{"task.name": "levels"}).facts


NAMES = st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=4).map(tuple)


@QUICK
@given(emotions=NAMES, holdout=NAMES, merged=NAMES, folds=NAMES)
def test_names_of_any_letters_are_read_as_they_were_stored(
    emotions: tuple[str, ...], holdout: tuple[str, ...], merged: tuple[str, ...], folds: tuple[str, ...]
) -> None:
    ours = Protocol({**TEXTS, "emotions": emotions, "holdout": holdout, "merged": merged, "folds": folds})
    for read in (Protocol.read(json.loads(json.dumps(ours.stored))), Protocol.read(ours.tags)):
        assert read == ours
        assert (read.names, read.holdout, read.merged, read.n_folds) == (emotions, holdout, merged, len(folds))


def test_a_name_with_a_blank_is_one_name(of: Of, rows: list[Row], tmp_path: Path) -> None:
    renamed = {"joy": "pleasant surprise", "ada": "Anna Smith"}
    table = _table(tmp_path, [{key: renamed.get(value, value) for key, value in row.items()} for row in rows])
    protocol = of(table, **{"protocol.holdout": ("Anna Smith",)})
    assert protocol.names == ("anger", "fear", "pleasant surprise")
    assert protocol.holdout == ("Anna Smith",)
    assert Protocol.read(protocol.tags) == protocol


def test_what_few_protocols_have_is_part_of_theirs_alone(of: Of, rows: list[Row], tmp_path: Path) -> None:
    """Names that are taken as written, where they would otherwise be others, and utterances of nobody."""
    usual = of(_table(tmp_path, rows, "usual.csv"))
    assert of(_table(tmp_path, rows, "usual.csv"), **{"corpus.names_as_written": ("ada", "x")}) == usual
    unknown = [row | ({"speaker": "nan"} if row["speaker"] == "ada" else {}) for row in rows]
    protocol = of(_table(tmp_path, unknown, "unknown.csv"))
    told = "3 of 18 utterances name no speaker ('nan' (3)): they train and are never held out"
    assert protocol.facts["nobody"] == told
    assert protocol.warnings == (f"{told}; whether held-out speakers speak in them is not known",)
    named = of(_table(tmp_path, unknown, "unknown.csv"), **{"corpus.names_as_written": ("nan",)})
    assert named.facts["names_as_written"] == ("nan",)
    assert named.warnings == ()
    assert len({usual.fingerprint, protocol.fingerprint, named.fingerprint}) == 3
