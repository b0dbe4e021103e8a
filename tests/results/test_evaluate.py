"""`evaluate` through the real command line: own folds, another corpus, recordings that the model was trained on."""

import csv
import json
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from ser_tune.tracking import EVALUATES_TAG, search_runs

pytestmark = pytest.mark.slow

MODEL = "ser-manifest-alex_net"


@pytest.fixture
def elsewhere(make_corpus: Callable[..., Path], tmp_path: Path) -> Path:
    """A corpus of other speakers, with other names of the emotions, one more emotion, and a column of its own."""
    table = make_corpus(tmp_path / "elsewhere", ("eve", "fay", "gus"), seed=1)
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["emotion"] = "Angry" if row["emotion"] == "anger" else "happy"
        row["meta_room"] = "large" if row["speaker"] == "gus" else "small"
    rows[0]["emotion"] = "fear"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return table


def _evaluate(call: Callable[..., Any], root: Path, *arguments: str | Path) -> dict[str, Any]:
    told = call(root, "evaluate", MODEL, "--corpus", "manifest", "--json", *arguments)
    assert told.code == 0, told.err
    (found,) = json.loads(told.out)
    return dict(found)


def test_fold_networks_on_their_own_test_speakers_score_as_at_their_promotion(
    finished_copy: Any, call: Callable[..., Any], open_study: Callable[..., Any]
) -> None:
    found = _evaluate(call, finished_copy.root, "--data", finished_copy.csv)
    opened = open_study(finished_copy.root)
    version = opened.workspace.client.get_model_version(MODEL, "1")
    promoted = opened.workspace.client.get_run(version.run_id).data.metrics
    (overall,) = [score for score in found["scores"] if score["kind"] == "all"]
    for name in ("uar", "uar_low", "uar_high", "wa", "wa_low", "wa_high"):
        expected = promoted.get(f"test_{name}")
        assert overall[name] == (None if expected is None else pytest.approx(expected, abs=1e-12)), name
    for emotion, recall in found["recalls"].items():
        assert recall["recall"] == pytest.approx(promoted[f"test_recall/{emotion}"], abs=1e-12)
    assert found["notes"][0].startswith("the model's own corpus")
    # The evaluation is a run of the version, and a line of its card
    (run,) = search_runs(opened.workspace, f"tags.`{EVALUATES_TAG}` = '{MODEL}/1'")
    assert run.data.tags["mlflow.parentRunId"] == version.run_id
    assert run.data.metrics["evaluation_uar"] == pytest.approx(promoted["test_uar"])
    assert {artifact.path for artifact in opened.workspace.client.list_artifacts(run.info.run_id)} == {
        f"evaluation_{name}" for name in ("calibration.png", "confusion.png", "predictions.csv", "scores.csv")
    }
    card = opened.workspace.client.get_model_version(MODEL, "1").description
    assert card.count("## Evaluations") == 1
    assert f"{promoted['test_uar']:.4f}" in card.partition("## Evaluations")[2]


def test_the_default_task_by_its_name_is_the_models_own_corpus_too(
    finished_copy: Any, call: Callable[..., Any]
) -> None:
    scores = [
        _evaluate(call, finished_copy.root, "--data", finished_copy.csv, *task)["scores"]
        for task in ((), ("--task", "all"))
    ]
    assert scores[0] == scores[1]


def test_another_corpus_is_judged_by_the_shared_classes(
    finished_copy: Any, call: Callable[..., Any], elsewhere: Path
) -> None:
    found = _evaluate(
        call, finished_copy.root, "--data", elsewhere, "--map", "happy=joy", "--by", "room", "--calibrate"
    )
    assert found["mapping"] == {"Angry": "anger", "happy": "joy"}
    assert found["left_out"] == {"emotion fear is no class of the model": 1}
    sizes = {(score["kind"], score["group"]): score["utterances"] for score in found["scores"]}
    assert sizes["all", "all"] == 11
    assert (sizes["room", "large"], sizes["room", "small"]) == (4, 7)
    assert 0.05 <= found["temperature"] <= 20
    assert (
        "no recording equals, or is near-identical to, one of the 16 that the model was trained on" in found["notes"][0]
    )
    assert found["protocol"]["mapping"] == ["Angry=anger", "happy=joy"]
    assert found["notes"][-1] == "the temperature was fitted on validation predictions of single fold networks"


def test_a_calibration_on_the_models_own_speakers_is_called_optimistic(
    finished_copy: Any, call: Callable[..., Any]
) -> None:
    found = _evaluate(call, finished_copy.root, "--data", finished_copy.csv, "--calibrate")
    assert "test scores are not free of the selection" in found["notes"][0]
    assert found["notes"][-1].endswith("of the same speakers, so the calibration error is optimistic")


def test_a_recording_that_the_model_was_trained_on_is_refused_in_any_container(
    finished_copy: Any, call: Callable[..., Any], elsewhere: Path
) -> None:
    samples, rate = soundfile.read(finished_copy.csv.with_name("bob_joy_1.wav"), dtype="int16")
    soundfile.write(elsewhere.with_name("copy.flac"), samples, rate)
    with elsewhere.open("a", encoding="utf-8") as file:
        file.write("copy.flac,someone,happy,small\n")
    told = call(finished_copy.root, "evaluate", MODEL, "--corpus", "manifest", "--data", elsewhere)
    told.refused("was trained on 1 of the 13 recordings: copy.flac; pass --skip-trained")
    found = _evaluate(call, finished_copy.root, "--data", elsewhere, "--skip-trained")
    assert found["left_out"]["the model was trained on them"] == 1
    assert "someone" not in {score["group"] for score in found["scores"]}


@pytest.mark.parametrize("change", ["gain", "44.1 kHz", "MP3", "cut and padded"])
def test_a_recording_that_the_model_was_trained_on_is_refused_after_a_change(
    finished_copy: Any, call: Callable[..., Any], elsewhere: Path, change: str
) -> None:
    samples, rate = soundfile.read(finished_copy.csv.with_name("bob_joy_1.wav"), dtype="float32")
    if change == "44.1 kHz":
        samples, rate = soxr.resample(samples, rate, 44_100), 44_100
    elif change == "gain":
        samples = -0.3 * samples
    elif change == "cut and padded":
        samples = np.pad(samples[500:], 3000)
    copy = elsewhere.with_name("copy.mp3" if change == "MP3" else "copy.flac")
    soundfile.write(copy, samples, rate)
    with elsewhere.open("a", encoding="utf-8") as file:
        file.write(f"{copy.name},someone,happy,small\n")
    told = call(finished_copy.root, "evaluate", MODEL, "--corpus", "manifest", "--data", elsewhere)
    told.refused(f"was trained on 1 of the 13 recordings: {copy.name} (near-identical to bob_joy_1.wav); pass")


def test_of_a_version_without_audio_fingerprints_exact_sound_alone_is_compared(
    finished_copy: Any, call: Callable[..., Any], elsewhere: Path
) -> None:
    (stored,) = finished_copy.root.rglob("training_sounds.fingerprints")
    for left in (b"damaged", None):
        stored.unlink() if left is None else stored.write_bytes(left)
        note = _evaluate(call, finished_copy.root, "--data", elsewhere)["notes"][0]
        assert note.startswith("the decoded sound of no recording equals that of one of the 16 that the model was")
        assert "near-identical sound was not compared: the version's audio fingerprints are gone or damaged" in note


def test_a_version_without_digests_says_that_nothing_was_checked(
    finished_copy: Any, call: Callable[..., Any], elsewhere: Path
) -> None:
    (stored,) = finished_copy.root.rglob("training_sounds.csv")
    stored.unlink()
    found = _evaluate(call, finished_copy.root, "--data", elsewhere)
    assert found["notes"][0].startswith("not checked for recordings that the model was trained on")


def test_what_cannot_be_is_refused_in_one_sentence(
    finished_copy: Any, call: Callable[..., Any], elsewhere: Path
) -> None:
    for arguments, message in (
        (("--map", "happy"), "--map is 'happy'; expected EMOTION=CLASS"),
        (("--map", "happy=bliss"), "'bliss' is no class of the model; expected one of anger, joy"),
        (("--by", "shoe_size"), "no utterance has 'shoe_size'; expected one of room"),
    ):
        told = call(finished_copy.root, "evaluate", MODEL, "--corpus", "manifest", "--data", elsewhere, *arguments)
        told.refused(message)


def test_stress_judges_every_condition_beside_the_clean_recordings(
    finished_copy: Any, call: Callable[..., Any], elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune.features import CONDITIONS

    few = [condition for condition in CONDITIONS if condition.name in ("babble 0 dB", "clipping 20%", "telephone band")]
    monkeypatch.setattr(import_module("ser_tune.results.stressed_scores"), "CONDITIONS", few)
    for data in (finished_copy.csv, elsewhere):  # its own folds, and all networks together
        renamed = ("--map", "happy=joy") if data == elsewhere else ()
        found = _evaluate(call, finished_copy.root, "--data", data, "--stress", *renamed)
        (clean,) = [score["uar"] for score in found["scores"] if score["kind"] == "all"]
        assert [condition["condition"] for condition in found["stress"]] == ["babble", "telephone band", "clipping"]
        for condition in found["stress"]:
            assert condition["uar"] - clean == pytest.approx(condition["difference"])
    assert len(list(finished_copy.root.rglob("evaluation_stress.png"))) == 2


def test_a_matrix_has_a_cell_for_each_pair_and_the_reason_where_there_is_none(
    finished_copy: Any, call: Callable[..., Any], elsewhere: Path
) -> None:
    other = elsewhere.with_name("other.csv")
    other.write_text(elsewhere.read_text(encoding="utf-8").replace("Angry", "boredom"), encoding="utf-8")
    told = call(
        finished_copy.root,
        *("matrix", "--models", MODEL, "--corpora", f"manifest={finished_copy.csv}"),
        *("--corpora", f"manifest={other}", "--format", "csv"),
    )
    assert told.code == 0, told.err
    own, none = csv.DictReader(told.out.splitlines())
    assert (own["corpus"], own["trained_on"], own["classes"]) == ("manifest", "manifest", "2")
    assert float(own["uar"]) > float(own["chance"])
    assert (none["corpus"], none["uar"]) == ("other", "")
    assert "expected at least two; pass --map" in none["reason"]
    assert (finished_copy.root / "matrix.png").stat().st_size > 1000


def test_a_matrix_maps_the_emotions_of_the_corpus_that_is_named_and_leaves_known_recordings_out(
    finished_copy: Any, call: Callable[..., Any], elsewhere: Path
) -> None:
    shutil.copy(finished_copy.csv.with_name("bob_joy_1.wav"), elsewhere.with_name("copy.wav"))
    with elsewhere.open("a", encoding="utf-8") as file:
        file.write("copy.wav,someone,happy,small\n")
    arguments = ("matrix", "--models", MODEL, "--corpora", f"manifest={elsewhere}", "--format", "json")
    for more, classes, reason in (
        ((), "", "was trained on 1 of the 13 recordings: copy.wav; pass --skip-trained"),
        (("--skip-trained",), 2, ""),
        (("--skip-trained", "--map", f"{elsewhere.stem}:Angry="), "", "share 1; expected at least two; pass --map"),
    ):
        told = call(finished_copy.root, *arguments, *more)
        assert told.code == 0, told.err
        (cell,) = json.loads(told.out)
        assert cell["classes"] == classes, cell["reason"]
        assert reason in cell["reason"]
    told = call(finished_copy.root, *arguments, "--map", "emodb:Angry=anger")
    told.refused(f"--map is 'emodb:Angry=anger'; expected CORPUS:EMOTION=CLASS, CORPUS one of {elsewhere.stem}")
    told = call(finished_copy.root, *arguments, "--corpora", "demo:merged")
    told.refused("unknown task of corpus demo 'merged'; choose from: all")


def test_a_combination_scores_as_at_its_promotion_and_a_refit_model_is_refused_on_its_own_corpus(
    finished_copy: Any, call: Callable[..., Any], open_study: Callable[..., Any]
) -> None:
    for command in (
        ("combine", "first:0", "first:1", "--as", "both"),
        ("promote", "first", "--refit", "--as", "refit"),
    ):
        told = call(finished_copy.root, *command)
        assert told.code == 0, told.err
    client = open_study(finished_copy.root).workspace.client
    promoted = client.get_run(client.get_model_version("both", "1").run_id).data.metrics
    arguments = ("--corpus", "manifest", "--data", finished_copy.csv)
    told = call(finished_copy.root, "evaluate", "both", *arguments, "--json")
    assert told.code == 0, told.err
    (overall,) = [score for score in json.loads(told.out)[0]["scores"] if score["kind"] == "all"]
    assert overall["uar"] == pytest.approx(promoted["test_uar"], abs=1e-12)
    assert overall["wa"] == pytest.approx(promoted["test_wa"], abs=1e-12)
    told = call(finished_copy.root, "evaluate", "refit", *arguments)
    told.refused("refit/1 was trained on 16 of the 16 recordings: ada_anger_0.wav, ")


def test_recordings_of_one_speaker_are_normalised_together_where_the_model_does_so(
    root: Path, call: Callable[..., Any], study_file: Path, corpus_csv: Path, elsewhere: Path
) -> None:
    corpus = ("--corpus", "manifest", "--data", corpus_csv)
    told = call(root, "train", study_file, *corpus, "--set", "normalisation.scope=speaker", "--name", "scoped")
    assert told.code == 0, told.err
    found = _evaluate(call, root, "--data", elsewhere, "--map", "happy=joy")
    assert found["notes"][-1] == "transductive: features are normalised with all judged recordings of each speaker"
    with elsewhere.open(encoding="utf-8", newline="") as file:
        fay = [elsewhere.with_name(row["path"]) for row in csv.DictReader(file) if row["speaker"] == "fay"]
    told = call(root, "predict", MODEL, *fay, "--json")
    named = [row["emotion"] for row in json.loads(told.out)]
    right = [name == path.name.split("_")[1] for name, path in zip(named, fay, strict=True)]
    (score,) = [score for score in found["scores"] if (score["kind"], score["group"]) == ("speaker", "fay")]
    assert score["wa"] == pytest.approx(sum(right) / len(right))
