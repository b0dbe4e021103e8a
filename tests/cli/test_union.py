"""Several corpora through the command line: searched on, promoted, predicted with, evaluated, reported, replayed."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.project_copies import copy_project

pytestmark = pytest.mark.slow

MODEL = "ser-manifest-calls-linear_probe"


@pytest.fixture(scope="module")
def union(
    once: Callable[..., Path], databases: Path, call: Callable[..., Any], make_corpus: Callable[..., Path]
) -> tuple[Path, list[str]]:
    """A project with a study of two tables, and the options that name them."""

    def fill(folder: Path) -> None:
        root = copy_project(databases, folder / "project")
        first = make_corpus(folder / "first")
        second = make_corpus(folder / "second", ("gus", "hal", "ada"), seed=1)
        with second.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        with second.with_name("calls.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "speaker", "emotion"])
            spelt = {"joy": "happy", "anger": "anger"}
            writer.writerows([row["path"], row["speaker"], spelt[row["emotion"]]] for row in rows)
        told = call(root, "study", *_options(first, second), "--trials", "2", *SETTINGS)
        assert told.code == 0, told.err
        (folder / "told.json").write_text(json.dumps([told.out, told.err]), encoding="utf-8")

    folder = once("union", fill)
    return folder, _options(folder / "first" / "manifest.csv", folder / "second" / "manifest.csv")


SETTINGS = ("--model", "linear_probe", "--features", "logmelspec", "--set", "features.n_mels=8", "--mapping", "valence")


def _options(first: Path, second: Path) -> list[str]:
    return ["--corpus", f"manifest={first}", "--corpus", f"manifest={second.with_name('calls.csv')}"]


def _found(call: Callable[..., Any], root: Path, *arguments: str) -> Any:
    told = call(root, *arguments)
    assert told.code == 0, told.err
    return json.loads(told.out)


def test_a_study_shows_what_became_of_each_corpus_and_registers_its_best(union: tuple[Path, list[str]]) -> None:
    out, err = json.loads((union[0] / "told.json").read_text(encoding="utf-8"))
    assert "study manifest+calls-linear_probe-logmelspec: " in err
    assert "note: manifest: 16 of 16 utterances, negative, positive; counted anger as negative, joy as positive" in err
    assert "note: calls: 12 of 12 utterances, negative, positive; counted anger as negative, happy as positive" in err
    assert f"registered: {MODEL} version 1 as champion" in out
    assert f"next: ser-tune predict {MODEL} " in out


def test_each_corpus_of_a_union_is_judged_by_fold_networks_that_did_not_train_on_it(
    union: tuple[Path, list[str]], call: Callable[..., Any]
) -> None:
    root, options = union[0] / "project", union[1]
    (whole,) = _found(call, root, "evaluate", MODEL, *options, "--by", "corpus", "--json")
    of_corpus = {row["group"]: row for row in whole["scores"] if row["kind"] == "corpus"}
    assert {label: row["utterances"] for label, row in of_corpus.items()} == {"manifest": 16, "calls": 12}
    for label, written in zip(("manifest", "calls"), (options[1], options[3]), strict=True):
        (part,) = _found(call, root, "evaluate", MODEL, "--corpus", written, "--json")
        assert "no network judges speakers whom it trained" in " ".join(part["notes"])
        overall = part["scores"][0]
        assert (overall["utterances"], overall["uar"]) == (of_corpus[label]["utterances"], of_corpus[label]["uar"])


def test_a_corpus_of_the_union_is_known_to_the_model_and_another_is_not(
    union: tuple[Path, list[str]], call: Callable[..., Any], make_corpus: Callable[..., Path], tmp_path: Path
) -> None:
    root, options = union[0] / "project", union[1]
    copied = make_corpus(tmp_path / "copied")  # the same sound under another name
    other = copied.rename(copied.with_name("other.csv"))
    mapped = ("--map", "anger=negative", "--map", "joy=positive")
    told = call(root, "evaluate", MODEL, "--corpus", f"manifest={other}", *mapped)
    told.refused("was trained on")
    corpora = [part for option in options[1::2] for part in ("--corpora", option)]
    told = call(root, "matrix", "--models", MODEL, *corpora)
    assert told.code == 0
    assert all(name in told.out for name in ("manifest", "calls"))


def test_a_union_is_predicted_with_reported_and_replayed(
    union: tuple[Path, list[str]], call: Callable[..., Any]
) -> None:
    root = union[0] / "project"
    recording = next((union[0] / "second").glob("*.wav"))
    (prediction,) = _found(call, root, "predict", MODEL, str(recording), "--json")
    assert {"negative", "positive"} <= prediction.keys()
    study = "manifest+calls-linear_probe-logmelspec"
    (replayed,) = _found(call, root, "replay", f"{study}:0", "--json")
    assert replayed["identical"] is True
    page = root / "page.html"
    told = call(root, "report", study, "--out", str(page), "--no-audio")
    assert told.code == 0, told.err
    assert "manifest+calls" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["leave-one-corpus-out", "speakers"])
def test_a_nested_union_is_evaluated_as_a_whole_and_by_corpus(
    union: tuple[Path, list[str]], call: Callable[..., Any], tmp_path: Path, scheme: str
) -> None:
    root, options = copy_project(union[0] / "project", tmp_path / "project"), union[1]
    settings = (*SETTINGS, "--set", "normalisation.scope=corpus")
    told = call(root, "study", *options, "--trials", "1", *settings, "--scheme", scheme, "--nested", "--name", "outer")
    assert told.code == 0, told.err
    following = f"next: ser-tune evaluate outer {' '.join(options)}"
    assert told.out.splitlines()[-1].replace("'", "") == following
    (whole,) = _found(call, root, "evaluate", "outer", *options, "--by", "corpus", "--error-rate", "0.5", "--json")
    of_corpus = {row["group"]: row for row in whole["scores"] if row["kind"] == "corpus"}
    assert {label: row["utterances"] for label, row in of_corpus.items()} == {"manifest": 16, "calls": 12}
    assert "features of each corpus are normalised by its training speakers" in whole["notes"][-1]
    assert whole["prediction_sets"]["measured"][0]["utterances"] == 28
    (part,) = _found(call, root, "evaluate", "outer", "--corpus", options[3], "--error-rate", "0.5", "--json")
    assert part["scores"][0]["uar"] == of_corpus["calls"]["uar"]
    assert part["prediction_sets"]["measured"][0]["utterances"] == 12


def test_a_union_that_was_moved_is_found_by_its_new_places(
    union: tuple[Path, list[str]], call: Callable[..., Any]
) -> None:
    root, study = union[0] / "project", "manifest+calls-linear_probe-logmelspec"
    moved = union[1][3].partition("=")[2]
    told = call(root, "report", study, "--no-audio", "--data", f"manifest={moved}", "--out", str(root / "moved.html"))
    assert told.code == 0, told.err
    call(root, "replay", f"{study}:0", "--data", "emodb=x").refused("the study has no corpus 'emodb'")
