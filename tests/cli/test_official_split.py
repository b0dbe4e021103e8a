"""A corpus with an official split, from study to evaluation, report and the table of its challenge."""

import csv
import json
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import Told
from tests.project_copies import copy_project
from tests.split_corpus import SPLITS, UNKNOWN, write_split

pytestmark = pytest.mark.slow
MODEL = "ser-podcasts-alex_net"


class Split(NamedTuple):
    """A project with a study on the official split."""

    root: Path
    table: Path
    study: Told
    arguments: tuple[str | Path, ...]


@pytest.fixture(autouse=True, scope="module")
def _installed() -> Iterator[None]:
    """The corpus, as an installed package brings it."""
    point = EntryPoint("podcasts", "tests.split_corpus:CORPUS", "ser_tune.corpora")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "ser_tune.components._plugins", lambda group: {"podcasts": (point,)} if group == "ser_tune.corpora" else {}
        )
        yield


@pytest.fixture(scope="module")
def split(
    databases: Path,
    call: Callable[..., Told],
    study_file: Path,
    make_corpus: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Split:
    folder = tmp_path_factory.mktemp("split")
    root = copy_project(databases, folder / "project")
    speakers = [*(name for names in SPLITS.values() for name in names), *UNKNOWN]
    table = write_split(make_corpus(folder / "corpus", speakers))
    corpus = ("--corpus", "podcasts", "--data", table)
    arguments = (study_file, *corpus, "--set", "protocol.folds=none", "--name", "official", "--trials", "2")
    return Split(root, table, call(root, "study", *arguments), arguments)


def test_a_study_scores_the_test_sets_together_and_apart(split: Split, call: Callable[..., Told]) -> None:
    assert split.study.code == 0, split.study.err
    out, err = split.study.out, " ".join(split.study.err.split())
    assert "1 fold;" in err
    assert "over folds" not in out
    assert "official split of 16 train, 8 validation, 8 test1, 8 test2 utterances, as a single fold" in err
    for line in ("test1: 8 utterances, 2 speakers", "test2: 8 utterances, 2 speakers", "the official split,"):
        assert line in out
    assert "no test speaker validates in another fold, so test scores are free of the selection" in out
    assert "8 of 44 utterances name no speaker ('Unknown' (8)): 4 train, and 4 of the official split's" in out
    again = call(split.root, "study", *split.arguments, "--json")
    (record,) = json.loads(again.out)
    promotion = record["promotion"]
    sets = promotion["test_sets"]
    assert {name: (found["utterances"], found["speakers"]) for name, found in sets.items()} == {
        "test1": (8, 2),
        "test2": (8, 2),
    }
    # Balanced sets of one size: both together score their mean
    together = sum(found["uar"] for found in sets.values()) / 2
    assert promotion["metrics"]["test_uar"] == pytest.approx(together)


def test_evaluate_groups_by_split_and_equals_the_promotion(split: Split, call: Callable[..., Told]) -> None:
    told = call(split.root, "evaluate", MODEL, "--corpus", "podcasts", "--data", split.table, "--json")
    assert told.code == 0, told.err
    (record,) = json.loads(told.out)
    by_split = {row["group"]: row["uar"] for row in record["scores"] if row["kind"] == "split"}
    (study,) = json.loads(call(split.root, "study", *split.arguments, "--json").out)
    assert by_split == {name: pytest.approx(found["uar"]) for name, found in study["promotion"]["test_sets"].items()}


def test_report_leaderboard_and_card_list_the_sets(split: Split, call: Callable[..., Told]) -> None:
    told = call(
        split.root, "report", "official", "--out", split.root / "page.html", "--latex", split.root / "tables.tex"
    )
    assert told.code == 0, told.err
    page = (split.root / "page.html").read_text(encoding="utf-8")
    assert "<td>test1</td>" in page
    assert "test2: 8 utterances, 2 speakers" in page
    assert "A single fold, the corpus&#39;s official split of 16 train" in page
    assert "test1 & " in (split.root / "tables.tex").read_text(encoding="utf-8")
    assert "official split" in call(split.root, "leaderboard").out
    assert "test2: 8 utterances" in _card(split.root)


def _card(root: Path) -> str:
    from ser_tune.project import Project
    from ser_tune.tracking import Workspace

    project = Project(root, f"sqlite:///{root}/mlruns/mlflow.db", "sqlite://", cache=root)
    return str(Workspace(project).client.get_model_version(MODEL, "1").description)


def test_a_withheld_set_is_predicted_as_its_challenge_takes_it(split: Split, call: Callable[..., Told]) -> None:
    out = split.root / "predictions.csv"
    corpus = ("--corpus", "podcasts", "--data", split.table)
    told = call(split.root, "submission", MODEL, *corpus, "--split", "test3", "--out", out)
    assert told.code == 0, told.err
    assert told.out == ""
    assert f"{out.name}: 4 predictions, columns FileName, EmoClass" in told.err.replace("\n", "")
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["FileName"] for row in rows] == [
        f"jan_{emotion}_{number}.wav" for emotion in ("anger", "joy") for number in range(2)
    ]
    paths = [split.table.parent / row["FileName"] for row in rows]
    predicted = json.loads(call(split.root, "predict", MODEL, *paths, "--json").out)
    codes = {"anger": "A", "joy": "H"}
    assert [row["EmoClass"] for row in rows] == [codes[found["emotion"]] for found in predicted]
    call(split.root, "submission", MODEL, *corpus, "--split", "test4").refused(
        "no utterance is of the split 'test4'; it has test1, test2, test3, train, validation"
    )
    call(split.root, "submission", MODEL, "--corpus", "demo", "--split", "test").refused("it has no official split")


def test_dimensions_of_a_withheld_set_are_written_on_the_scale(
    split: Split, call: Callable[..., Told], study_file: Path
) -> None:
    file, out = split.root / "dimensions.yaml", split.root / "ratings.csv"
    quick = study_file.read_text(encoding="utf-8").replace("loss: {class_weighting: none}\n", "")
    file.write_text(quick.replace("protocol: {folds: 3}\n", ""), encoding="utf-8")
    corpus = ("--corpus", "podcasts", "--data", split.table)
    told = call(
        split.root, "study", file, *corpus, "--name", "ratings", "--trials", "1", "--set", "task.name=dimensions"
    )
    assert told.code == 0, told.err
    told = call(split.root, "submission", f"{MODEL}@dimensions", *corpus, "--split", "test3", "--out", out)
    assert told.code == 0, told.err
    with out.open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert [list(row) for row in rows] == [["FileName", "EmoAct", "EmoVal"]] * 4
    assert all(1 <= float(row[column]) <= 7 for row in rows for column in ("EmoAct", "EmoVal"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (("--nested",), "no search sees the test sets of the official split of corpus podcasts"),
        (("--holdout", "fay"), "protocol.holdout would change the official split of corpus podcasts"),
        (("--text-independent",), "protocol.text_independent would change the official split"),
    ],
)
def test_what_would_change_the_split_is_refused(
    split: Split, call: Callable[..., Told], changed: tuple[str, ...], message: str
) -> None:
    call(split.root, "study", *split.arguments, "--name", "other", *changed).refused(message)


def test_corpus_check_lists_the_sides(split: Split, call: Callable[..., Told]) -> None:
    told = call(split.root, "corpus", "check", "podcasts", "--data", split.table, "--json")
    assert told.code == 0, told.err
    sides = {side["name"]: side for side in json.loads(told.out)["split"]}
    assert list(sides) == ["train", "validation", "test1", "test2", "test3"]
    assert {name: tuple(side.values())[1:] for name, side in sides.items()} == {
        "train": (16, 3, 4, 0),
        "validation": (8, 2, 0, 0),
        "test1": (12, 2, 4, 0),
        "test2": (8, 2, 0, 0),
        "test3": (4, 1, 0, 4),
    }
    told = call(split.root, "corpus", "check", "podcasts", "--data", _moved(split))
    assert told.code == 1
    assert (
        "wrong: leak: corpus podcasts, official split: speaker 'ada' and 2 more speakers are on the train" in told.out
    )


def _moved(split: Split) -> Path:
    """A table whose training speakers are also on the test side."""
    table = split.table.with_name("moved.csv")
    content = split.table.read_text(encoding="utf-8")
    table.write_text(content.replace(",anger,train", ",anger,test1"), encoding="utf-8")
    return table


def test_folds_of_the_user_replace_the_split_and_a_note_tells_so(split: Split, call: Callable[..., Told]) -> None:
    told = call(
        split.root,
        "train",
        *split.arguments[:-4],
        "--name",
        "folds",
        "--set",
        "protocol.folds=3",
        "--set",
        "training.epochs=1",
    )
    assert told.code == 0, told.err
    assert "is replaced by chosen folds" in " ".join(told.err.split())
    assert "3 speaker folds" in told.out
    assert "test1:" not in told.out
