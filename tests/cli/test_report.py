"""`report`: one page with everything about a result, without any address outside of it, and tables for a paper."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ser_tune import api
from ser_tune.metrics import METRICS
from ser_tune.project import Project
from ser_tune.resampling import describe_score, interval_of, with_interval
from ser_tune.tasks import TASKS
from tests.read_pages import Page

NAME = "ser-manifest-alex_net"
HOSTILE = "<script>alert(\"$x$ & 'y'\")</script>"
Call = Callable[..., Any]


def _project(root: Path) -> Project:
    return Project(root, f"sqlite:///{root}/mlruns/mlflow.db", f"sqlite:///{root}/studies/optuna.db", root / ".cache")


@pytest.fixture(scope="module")
def page(call: Call, finished: Any, tmp_path_factory: pytest.TempPathFactory) -> Page:
    tmp_path = tmp_path_factory.mktemp("page")
    told = call(finished.root, "report", "first", "--out", tmp_path / "page.html")
    assert (told.code, told.out) == (0, f"report: {tmp_path / 'page.html'}\n")
    assert told.err == "note: the page contains recordings (licence: as its owner says); --no-audio leaves them out\n"
    return Page((tmp_path / "page.html").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_page_has_the_scores_of_the_promotion_and_its_fingerprint(page: Page, finished: Any) -> None:
    found = api.report(NAME, project=_project(finished.root))
    for side in ("validation", "test"):
        (row,) = (row for row in page.rows if row[0] == side and len(row) == 6)
        assert row[1] == "1"  # network of a fold
        assert row[2:4] == [describe_score(found.metrics, f"{side}_{one}") for one in ("uar", "wa")]
        assert row[2] in finished.told.out  # as the study told it
        assert ("test scores are not free of the selection" in row[-1]) == (side == "test")
    assert found.protocol.fingerprint in page.text
    assert f"ser-tune replay {found.run_id}" in page.text
    assert ["chance, 1 of 2 emotions", "0.5000"] in [row[:2] for row in page.rows]
    corrected = describe_score(found.corrected, "corrected_uar")
    assert ["validation, corrected", "1", corrected] in [row[:3] for row in page.rows]
    assert f"corrected   {corrected}" in finished.told.out
    assert f"validation, corrected & 1 & {corrected}" in found.latex
    gain = with_interval(found.corrected["gain_over_first"], interval_of(found.corrected, "gain_over_first"), "+")
    assert ["the first trial, corrected", gain] in [[row[0], row[-1]] for row in page.rows]
    assert found.trial is not None
    other = api.report(f"first:{(found.trial + 1) % 3}", project=_project(finished.root))
    assert other.corrected == {}


def test_the_page_needs_no_network(page: Page) -> None:
    assert page.tags.count("img") >= 9
    inside = tuple(f"data:{kind};base64," for kind in ("image/svg+xml", "image/png", "audio/mpeg"))
    assert all(address.startswith((*inside, "#")) for address in page.addresses)
    assert not {"link", "iframe", "object", "embed", "base"} & set(page.tags)


def test_every_trial_class_and_speaker_has_a_row(page: Page, finished: Any) -> None:
    found = api.report("first", project=_project(finished.root))
    for number, trial in found.trials.iterrows():
        assert [str(number), "complete", f"{trial['validation_uar']:.4f}"] in [row[:3] for row in page.rows]
    for side in ("validation", "test"):
        predictions = found.predictions[side]
        for speaker in set(predictions.speakers):
            assert sum(row[0] == speaker and len(row) == 4 for row in page.rows) == 2  # once a side
        for emotion, counts in zip(predictions.names, predictions.sums(METRICS.get("uar")).sum(axis=0), strict=True):
            assert [emotion, *map(str, counts)] in page.rows


def test_where_no_classes_are_predicted_the_page_has_none(finished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from ser_tune.protocol import Protocol

    views = {"classes": lambda truth, predicted, _: (truth, predicted)}
    task = replace(TASKS.get("classification"), predictions="scores", views=views)
    monkeypatch.setattr(Protocol, "task", task)
    found = api.report("first", project=_project(finished.root), with_audio=False)
    page = Page(found.html)
    assert found.mistakes == []
    assert "calibration" not in found.pictures
    assert not re.search("Confusion|most frequent error|Hardest utterances", found.html)
    assert ["speaker", "utterances", "UAR"] in page.rows
    assert ["chance", "0.5000"] in [row[:2] for row in page.rows]
    assert found.latex.count(r"\begin{tabular}") == 1 + len(found.predictions)  # values of single outputs


@pytest.mark.slow
def test_a_name_of_the_data_is_text_and_never_a_tag(
    call: Call, finished: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from ser_tune.report import collect

    read = collect.read_predictions

    def hostile(*arguments: Any) -> Any:
        found = read(*arguments)
        return found and replace(
            found,
            names=(HOSTILE, *found.names[1:]),
            speakers=tuple(HOSTILE if one == "ada" else one for one in found.speakers),
        )

    monkeypatch.setattr(collect, "read_predictions", hostile)
    for option in ("--out", "--latex"):
        told = call(finished.root, "report", "first", "--out", tmp_path / "a.html", option, tmp_path / option)
        assert told.code == 0, told.err
    page = Page((tmp_path / "--out").read_text(encoding="utf-8"))
    assert page.tags.count("script") == 1  # ours, which sorts
    assert sum(row[0] == HOSTILE for row in page.rows) >= 4  # emotion and speaker, of both sides
    assert r"\$x\$ \& 'y'" in (tmp_path / "--latex").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_csv_is_the_table_of_the_api(call: Call, finished: Any, tmp_path: Path) -> None:
    told = call(finished.root, "report", "first", "--out", tmp_path / "a.html", "--csv", tmp_path / "trials.csv")
    assert told.code == 0, told.err
    text = (tmp_path / "trials.csv").read_text(encoding="utf-8")
    assert text == api.report("first", project=_project(finished.root)).trials.to_csv()
    assert [row["state"] for row in csv.DictReader(io.StringIO(text))] == ["COMPLETE"] * 3


def test_a_citation_has_an_entry_whose_braces_close(page: Page, finished: Any) -> None:
    bibtex = api.report("first", project=_project(finished.root)).bibtex
    assert bibtex.count("@misc{") == len(re.findall(r"(?m)^}$", bibtex))
    for key in ("corpus-manifest", "model-alex-net", "features-logmelspec", "loss-cross-entropy", "optuna"):
        assert f"@misc{{{key},\n  note = {{" in bibtex
    assert bibtex in page.text


@pytest.mark.slow
def test_a_page_without_sound_names_the_same_utterances(page: Page, call: Call, finished: Any, tmp_path: Path) -> None:
    told = call(finished.root, "report", "first", "--out", tmp_path / "a.html", "--no-audio")
    assert (told.code, told.err) == (0, "")
    quiet = Page((tmp_path / "a.html").read_text(encoding="utf-8"))
    assert "audio" in page.tags
    assert "audio" not in quiet.tags
    for one in api.report("first", project=_project(finished.root)).mistakes:
        assert one.utterance in quiet.text


@pytest.mark.slow
def test_another_corpus_in_its_place_is_neither_played_nor_audited(
    call: Call, finished: Any, make_corpus: Callable[..., Path], tmp_path: Path
) -> None:
    other = make_corpus(tmp_path / "other", seed=1)
    told = call(finished.root, "report", "first", "--out", tmp_path / "a.html", "--data", other)
    assert told.code == 0
    assert "note: without recordings and the audit of the folds: corpus manifest has the digest" in told.err
    page = Page((tmp_path / "a.html").read_text(encoding="utf-8"))
    assert "audio" not in page.tags
    assert not [row for row in page.rows if row[0] == "recordings"]
    assert str(other) not in page.text
    assert "neither the audit of the folds nor recordings: corpus manifest has the digest" in page.text
    (tmp_path / "empty").mkdir()
    told = call(finished.root, "report", "first", "--out", tmp_path / "b.html", "--data", tmp_path / "empty" / "no.csv")
    assert f"folds: corpus manifest: '{tmp_path / 'empty' / 'no.csv'}' does not exist" in told.err
    page = Page((tmp_path / "b.html").read_text(encoding="utf-8"))
    assert "nor recordings: corpus manifest: '…/no.csv' does not exist" in page.text  # pages are passed on


@pytest.mark.slow
def test_the_pictures_are_artifacts_of_the_run(page: Page, finished: Any) -> None:
    from mlflow import MlflowClient

    project = _project(finished.root)
    found = api.report("first", project=project)
    stored = MlflowClient(project.tracking_uri).list_artifacts(found.run_id, "report")
    assert {one.path for one in stored} == {f"report/{name}.svg" for name in found.pictures}


def test_the_page_has_the_audit_of_the_folds_and_the_words_of_the_protocol(page: Page) -> None:
    assert ["speakers", "ok", "none of 4 speakers is on two sides"] in page.rows
    assert ["texts", "unchecked", "the file names no texts"] in page.rows
    assert "Features are normalised by statistics of the training speakers." in page.text


@pytest.mark.slow
def test_without_optunas_storage_the_page_has_no_search(call: Call, finished: Any, tmp_path: Path) -> None:
    empty = f"sqlite:///{tmp_path}/optuna.db"
    told = call(finished.root, "report", NAME, "--out", tmp_path / "a.html", "--storage", empty)
    assert told.code == 0
    assert told.err.startswith("note: without recordings and the audit of the folds: Optuna's storage does not have")
    page = Page((tmp_path / "a.html").read_text(encoding="utf-8"))
    assert not [row for row in page.rows if row[:2] == ["trial", "state"]]
    assert [row[0] for row in page.rows].count("validation") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nobody",), f"'nobody' is no registered model, study or run; models: {NAME}; studies: first"),
        (("first:9",), "study 'first' has no trial 9"),
        (("first", "--out", "no/page.html"), "--out is 'no/page.html'; expected a file's name in an existing folder"),
        (("first", "--csv", "."), "--csv is '.'; expected a file's name in an existing folder"),
    ],
)
def test_a_mistake_ends_with_2_and_one_sentence(
    call: Call, finished: Any, arguments: tuple[str, ...], message: str
) -> None:
    call(finished.root, "report", *arguments).refused(message)
