"""`compare`, `leaderboard`, `replay`, `confirm` as a person meets them: tables, forms that parse back, exit codes."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from ser_tune.architectures import ARCHITECTURES
from ser_tune.metrics import METRICS
from tests.read_pages import Page

NAME = "ser-manifest-alex_net"
Call = Callable[..., Any]


def _client(root: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{root}/mlruns/mlflow.db", f"sqlite:///{root}/mlruns/mlflow.db")


def _run_id(root: Path, trial: int, study: str = "first") -> str:
    client = _client(root)
    (run,) = client.search_runs(
        [one.experiment_id for one in client.search_experiments()],
        f"tags.`ser_tune.study` = '{study}' and tags.`ser_tune.trial` = '{trial}'",
    )
    return str(run.info.run_id)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


@pytest.mark.slow
def test_the_page_of_a_comparison_has_its_numbers_and_what_differs(call: Call, finished: Any, tmp_path: Path) -> None:
    told = call(finished.root, "compare", "first:0", "first:1", "--json", "--html", tmp_path / "page.html")
    assert (told.code, told.err) == (0, f"page: {tmp_path / 'page.html'}\n")
    (known,) = json.loads(told.out)
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    low, high = known["uar_difference_interval"]
    assert [f"{known['uar_difference']:+.4f} [{low:+.3f}, {high:+.3f}]"] in [row[1:2] for row in page.rows]
    assert f"{known['p_value_of_the_best']:.4f}" in page.text
    shown = known["p_value_of_the_best"] < 0.05 and not low <= 0 <= high
    assert ("No difference is shown between A and B" in page.text) is not shown
    for counts in known["confusions"]:
        assert ["anger", *map(str, counts[0])] in page.rows
    for row in known["differing"]:
        assert [row[name] for name in ("utterance", "speaker", "truth", "a", "b")] in page.rows
    params = [_client(finished.root).get_run(run).data.params for (run,) in known["runs"]]
    differing = {path for path in params[0] if params[0][path] != params[1].get(path)}
    searched = [row for row in page.rows if row[-1] == "searched by A and B"]
    assert {row[0].replace("\u200b", "") for row in searched} == differing
    assert page.tags.count("img") == 3
    assert all(address.startswith(("data:image/svg+xml;base64,", "#")) for address in page.addresses)
    call(finished.root, "compare", "first:0", "first:1", "--html", "none/page.html").refused(
        "--html is 'none/page.html'; expected a file's name in an existing folder"
    )


@pytest.mark.slow
def test_a_comparison_is_scores_a_test_two_confusions_and_what_differs(call: Call, finished: Any) -> None:
    told = call(finished.root, "compare", "first:0", "first:1")
    (known,) = json.loads(call(finished.root, "compare", "first:0", "first:1", "--json").out)
    assert (told.code, told.err) == (0, "")
    lines = told.out.splitlines()
    assert lines[0].split() == ["validation", "UAR", "WA"]
    for line, mark, name, uar in zip(lines[1:3], "AB", ("first:0", "first:1"), known["uar"], strict=True):
        assert _cells(line)[:2] == [mark, name]
        assert _cells(line)[2].startswith(f"{uar:.4f} [")
    low, high = known["uar_difference_interval"]
    assert _cells(lines[3])[1] == f"{known['uar_difference']:+.4f} [{low:+.3f}, {high:+.3f}]"
    assert lines[4] == f"p = {known['p_value']:.4f} ({known['test']})"
    assert lines[5] == (
        f"p = {known['p_value_of_the_best']:.4f} if A was chosen as the best of 3 configurations, and B of 3 (the same "
        "test with the largest difference of any configuration that was searched)"
    )
    assert known["searched"] == [3, 3]
    assert f"Cohen's d_z {known['effect_size']:.2f} over 4 speakers; protocol {known['fingerprint']}" in lines[6]
    for mark, counts in zip("AB", known["confusions"], strict=True):
        at = lines.index(f"confusion of {mark} (rows: truth)")
        assert lines[at + 1].split() == ["anger", "joy"]
        assert [[int(one) for one in line.split()[1:]] for line in lines[at + 2 : at + 4]] == counts
    at = lines.index(f"{len(known['differing'])} of 16 utterances differ")
    assert [line.split() for line in lines[at + 2 :]] == [list(one.values()) for one in known["differing"]]


@pytest.mark.slow
def test_a_comparison_in_json_names_its_runs(call: Call, finished: Any) -> None:
    (known,) = json.loads(call(finished.root, "compare", NAME, "first:0", "--json").out)
    assert (known["a"], known["b"], known["side"]) == (NAME, "first:0", "validation")
    assert known["runs"][1] == [_run_id(finished.root, 0)]
    assert known["uar_difference"] == pytest.approx(known["uar"][0] - known["uar"][1])
    assert sum(map(sum, known["confusions"][0])) == 16
    for one in known["differing"]:
        assert one["a"] != one["b"]


@pytest.mark.slow
def test_a_combination_is_told_beside_its_members_and_predicts(call: Call, finished_copy: Any) -> None:
    root = finished_copy.root
    told = call(root, "combine", "first:0", "first:1", "--as", "both")
    assert (told.code, told.err) == (0, "")
    lines = told.out.splitlines()
    assert _cells(lines[0]) == ["member", "model", "features", "validation UAR"]
    assert [_cells(line)[0] for line in lines[1:3]] == ["trial 0 of first", "trial 1 of first"]
    assert _cells(lines[3])[0] == "combination"
    assert [_cells(line)[0] for line in lines[4:6]] == ["validation", "test"]
    assert "registered: both version 1 as champion (there was no champion before)" in lines
    audio = finished_copy.csv.parent / "ada_joy_0.wav"
    (said,) = json.loads(call(root, "predict", "both", audio, "--json").out)
    assert said["anger"] + said["joy"] == pytest.approx(1)
    (listed,) = (one for one in json.loads(call(root, "models", "--json").out) if one["name"] == "both")
    assert (listed["study"], listed["aliases"]) == ("first:0 + first:1", ["champion"])
    assert "first:0 + first:1" in call(root, "models", "--wide").out
    again = call(root, "combine", "first:1", "first:0", "--as", "both")
    assert "already registered: both version 1 as champion (it was registered before)" in again.out


def test_a_combination_of_unlike_segments_has_none_to_print(
    call: Call, finished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune.prediction import Prediction
    from ser_tune.tracking import LoadedModel

    said = [Prediction(source="a.wav", label="joy", numbers={"anger": 0.0, "joy": 1.0}, segments=())]
    monkeypatch.setattr(LoadedModel, "predict_heard", lambda *_: said)
    told = call(finished.root, "predict", NAME, finished.csv.parent / "ada_joy_0.wav", "--segments")
    assert (told.code, told.out) == (2, "")
    assert told.err == f"error: '{NAME}' combines trials that cut utterances into unlike segments; drop --segments\n"


@pytest.mark.slow
def test_without_randomness_there_is_no_confirmation(
    call: Call, root: Path, corpus_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune import api
    from ser_tune.errors import StudyError

    corpus = ("--corpus", "manifest", "--data", str(corpus_csv), "--model", "linear_probe", "--features", "logmelspec")
    assert call(root, "study", *corpus, "--trials", "1", "--name", "solved").code == 0
    told = call(root, "confirm", "solved", "--top", "1")
    assert (told.code, told.out) == (2, "")
    assert told.err == (
        "error: study 'solved' cannot be confirmed on fresh seeds: linear_probe is solved without random numbers, so "
        "every seed gives the same network and the same score; other seeds confirm nothing\n"
    )
    monkeypatch.setenv("SER_TUNE_ROOT", str(root))
    with pytest.raises(StudyError, match="linear_probe is solved without random numbers"):
        api.confirm("solved", top=1)
    (version,) = json.loads(call(root, "models", "--json").out)
    assert (version["version"], version["study"]) == ("1", "solved")
    # A run with numbers of another solver: replaying it names the reason
    assert call(root, "replay", "solved:0").out.endswith("numbers\n")
    _client(root).set_tag(_run_id(root, 0, "solved"), "ser_tune.solver", "another solver")
    told = call(root, "replay", "solved:0").out
    solver = ARCHITECTURES.get("linear_probe").solver
    assert f"solver was another solver, is {solver}\n" in told
    # Seeds of an ablation are the same network again: one is trained
    told = call(root, "ablate", *corpus, "--change", "model.objective=logistic", "--seeds", "3", "--json")
    assert [len(one["seeds"]) for one in json.loads(told.out)] == [1, 1]


def test_one_trial_alone_cannot_be_combined(call: Call, finished: Any) -> None:
    told = call(finished.root, "combine", "first:0")
    assert (told.code, told.out) == (2, "")
    assert told.err == "error: 'first:0': 1 trial; expected at least two to combine\n"


@pytest.mark.slow
def test_only_some_of_the_utterances_are_listed_unless_all_are_asked_for(
    call: Call, finished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ser_tune.cli.printing.comparisons.SHOWN_DIFFERENCES", 2)
    some = call(finished.root, "compare", "first:0", "first:1")
    every = call(finished.root, "compare", "first:0", "first:1", "--all")
    (known,) = json.loads(call(finished.root, "compare", "first:0", "first:1", "--json").out)
    hidden = len(known["differing"]) - 2
    assert hidden > 0
    assert some.err == f"{hidden} more; pass --all\n"
    assert every.err == ""
    assert len(every.out.splitlines()) == len(some.out.splitlines()) + hidden


def test_results_of_other_protocols_end_with_2_and_what_differs(call: Call, finished_copy: Any) -> None:
    run_id = _run_id(finished_copy.root, 1)
    _client(finished_copy.root).set_tag(run_id, "protocol.holdout", "dan")
    told = call(finished_copy.root, "compare", "first:0", run_id)
    assert (told.code, told.out) == (2, "")
    assert told.err == (
        f"error: 'first:0' and '{run_id}' cannot be compared: their protocols differ: holdout is 'none', not 'dan'\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare", "first:0", "first:1", "--on", "test"), "has no test predictions; it is scored on them when it is"),
        (("compare", "first", "nobody"), f"'nobody' is no registered model, study or run; models: {NAME}; studies"),
        (
            ("compare", "first", "first", "--on", "train"),
            "unknown side 'train'; choose from: holdout, test, validation",
        ),
        (("leaderboard", "--format", "html"), "--format is 'html'; choose from: table, markdown, csv, json"),
        (
            ("leaderboard", "--corpus", "emodbb"),
            "unknown corpus 'emodbb'; choose from: aesdd, ased, cafe, cmu_mosei, crema_d, demo, emodb",
        ),
        (("replay", "first:9"), "study 'first' has no trial 9"),
        (("confirm", "second"), "no study 'second' in sqlite"),
        (("confirm", "first", "--top", "9"), "study 'first' has 3 complete trials; expected at least 9"),
        (("promote", "first", "--rule", "best"), "unknown promotion rule 'best'; choose from: always, better, confid"),
    ],
)
def test_a_mistake_ends_with_2_and_the_choices(
    call: Call, finished: Any, arguments: tuple[str, ...], message: str
) -> None:
    told = call(finished.root, *arguments)
    assert (told.code, told.out) == (2, "")
    assert message in " ".join(told.err.replace("│", " ").split())


def _as_rows(form: str, text: str) -> list[dict[str, str]]:
    """A leaderboard, read back from any of its forms."""
    if form == "json":
        return list(json.loads(text))
    if form == "csv":
        return list(csv.DictReader(io.StringIO(text)))
    header, rule, *lines = ([cell.strip() for cell in line.strip("|\n").split("|")] for line in text.splitlines())
    assert set(rule) == {"---"}
    return [dict(zip(header, line, strict=True)) for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize("corpus", [(), ("--corpus", "emodb")], ids=["here", "asked for"])
def test_every_form_of_the_leaderboard_says_the_same(call: Call, finished: Any, corpus: tuple[str, ...]) -> None:
    forms = ("markdown", "csv", "json")
    told = {form: call(finished.root, "leaderboard", "--format", form, *corpus) for form in forms}
    assert [(one.code, one.err) for one in told.values()] == [(0, "")] * 3
    rows = {form: _as_rows(form, one.out) for form, one in told.items()}
    assert rows["csv"] == rows["json"]
    # People read warnings, and scores of corpora, below the table
    assert {row.pop(name) for row in rows["json"] for name in ("warnings", "corpora")} == {""}
    assert rows["markdown"] == rows["json"]
    narrow = call(finished.root, "leaderboard", *corpus).out.splitlines()
    assert max(map(len, narrow)) <= 100
    assert narrow[0].split()[-4:] == ["outer", "or", "test", "UAR"]
    table = call(finished.root, "leaderboard", "--wide", *corpus).out.splitlines()
    assert len(table) == 1 + len(rows["json"])
    assert _cells(table[0]) == list(rows["json"][0])
    for line, row in zip(table[1:], rows["json"], strict=True):
        assert _cells(line) == [value for value in row.values() if value]


def test_only_corpora_that_are_here_or_asked_for_have_published_rows(call: Call, finished: Any) -> None:
    from ser_tune.results import PUBLISHED

    (own,) = json.loads(call(finished.root, "leaderboard", "--format", "json").out)
    assert (own["corpus"], own["rank"], own["who"], own["trials"]) == ("manifest", "1", "alex_net, logmelspec", "3")
    assert (own["folds"], own["evaluation"], own["outer UAR"]) == ("3", "cross-validated", "")
    emodb = json.loads(call(finished.root, "leaderboard", "--corpus", "emodb", "--format", "json").out)
    assert [row["who"] for row in emodb] == [one.who for one in PUBLISHED if one.corpus == "emodb"]
    assert {row["rank"] for row in emodb} == {""}  # what is published is ranked among nothing of ours
    assert emodb[0]["test UAR"] == "0.8282 ± 0.0499"
    dependent = next(row for row in emodb if "WavLM" in row["who"])
    assert "not comparable" in dependent["source"]


@pytest.mark.parametrize(("form", "out"), [("table", ""), ("markdown", ""), ("json", "[]\n")])
def test_an_empty_store_has_an_empty_leaderboard(call: Call, root: Path, form: str, out: str) -> None:
    told = call(root, "leaderboard", "--format", form)
    assert (told.code, told.out) == (0, out)
    assert told.err == "no complete trials yet; run `ser-tune study --model 3d_acrnn`\n"
    assert call(root, "leaderboard", "--format", "csv").out.startswith("corpus,task,evaluation,protocol,rank,who,")
    assert "no complete trials of corpus 'demo' yet" in call(root, "leaderboard", "--corpus", "demo").err


@pytest.mark.slow
def test_a_replay_that_is_identical_ends_with_0(call: Call, finished: Any) -> None:
    told = call(finished.root, "replay", "first:2")
    assert told.code == 0, told.err
    assert told.out.endswith("(trial 2 of first): identical, 60 numbers\n")
    assert told.err.splitlines() == ["fold 1", "fold 2", "fold 3"]


@pytest.mark.slow
def test_a_replay_that_is_not_ends_with_1_and_every_difference(call: Call, finished_copy: Any) -> None:
    run_id = _run_id(finished_copy.root, 0)
    client = _client(finished_copy.root)
    client.log_metric(run_id, "validation_wa", 0.123)
    client.set_tag(run_id, "version.numpy", "1.0")
    told = call(finished_copy.root, "replay", run_id, "--data", finished_copy.csv)
    assert told.code == 1
    version, count, difference = told.out.splitlines()
    assert version.startswith("numpy was 1.0, is ")
    assert count == f"run {run_id} (trial 0 of first): 1 numbers differ"
    assert difference.startswith("validation_wa: 0.123 before, 0.")


@pytest.mark.slow
def test_other_versions_alone_are_told_but_are_no_difference(call: Call, finished_copy: Any) -> None:
    run_id = _run_id(finished_copy.root, 0)
    _client(finished_copy.root).set_tag(run_id, "version.torch", "0.4.1")
    told = call(finished_copy.root, "replay", run_id)
    assert told.code == 0
    assert told.out.startswith("torch was 0.4.1, is ")
    assert "identical" in told.out


def test_a_confirmation_is_a_table_and_what_was_registered(
    call: Call, finished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser_tune import experiments
    from ser_tune.experiments import Candidate, Confirmation
    from ser_tune.registry import Promotion
    from ser_tune.resampling import Interval

    asked = {}

    def confirm(_: object, __: object, prepared: Any, *___: object, **how: object) -> Any:
        asked.update(how)
        seen = {"searched": 0.9, "searched_interval": Interval(0.8, 0.95), "interval": Interval(0.6, 0.85)}
        candidates = [Candidate(trial=2, objective=METRICS.get("uar"), scores=(0.7, 0.8), numbers=(0, 2), **seen)]
        scores = {"validation_uar": 0.7, "validation_wa": 0.7}
        scores |= {f"validation_{name}_fold_{what}": 0.7 for name in ("uar", "wa") for what in ("mean", "std")}
        promotion = Promotion(NAME, "2", "champion", "it is better", 0, scores, created=True, prepared=prepared)
        return Confirmation("first-confirm", candidates, promotion)

    monkeypatch.setattr(experiments, "confirm", confirm)
    told = call(finished.root, "confirm", "first", "--top", "1", "--seeds", "2", "--as", "mine")
    assert asked == {"top": 1, "seeds": 2, "name": "mine"}
    lines = told.out.splitlines()
    assert _cells(lines[0]) == ["trial", "search saw [95 %]", "mean of 2 fresh seeds [95 %]", "luck of the seed"]
    assert _cells(lines[1]) == ["2", "0.9000 [0.800, 0.950]", "0.7500 [0.600, 0.850]", "+0.1500"]
    assert f"registered: {NAME} version 2 as champion (it is better)" in lines
