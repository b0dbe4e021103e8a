"""The repository keeps its promises: study files, documents, CI, pinned versions."""

import re
import tomllib
from pathlib import Path

import pytest

from ser_tune.architectures import ARCHITECTURES
from ser_tune.config import read_yaml
from ser_tune.search import define_study

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("corpus", ["demo", "emodb"])
@pytest.mark.parametrize("file", sorted((ROOT / "studies").glob("*.yaml")), ids=lambda file: file.stem)
def test_a_shipped_study_file_is_what_its_model_does_without_it(file: Path, corpus: str) -> None:
    from_file = define_study(file, flags={"corpus.name": corpus})
    from_flags = define_study(flags={"model.name": file.stem, "corpus.name": corpus})
    assert dict(from_file.search) == dict(from_flags.search)
    assert from_file.trial({}) == from_flags.trial({})


def test_every_architecture_ships_a_study_file() -> None:
    assert {file.stem for file in (ROOT / "studies").glob("*.yaml")} == set(ARCHITECTURES.names())


RECOMMENDED = [file for folder in ("ablation", "emodb") for file in sorted((ROOT / "studies" / folder).glob("*.yaml"))]
FIXED = [file for file in RECOMMENDED if not read_yaml(file.read_text("utf-8"), file.name).get("search")]


@pytest.mark.parametrize("file", FIXED, ids=lambda file: f"{file.parent.name} {file.stem}")
def test_a_file_of_one_configuration_searches_nothing_and_is_named_as_it_trains(file: Path) -> None:
    study = define_study(file, flags={"corpus.name": "emodb"})
    assert not study.search
    assert study.config.model.name == file.stem.partition("-")[0]
    assert study.name == f"{file.parent.name}-{file.stem}"
    assert study.trial({}).training.selection == "last"  # the table in studies/README.md is one of last epochs


TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "studies").rglob("*.md"))]


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_page_with_test_scores_says_that_they_are_not_free_of_the_selection(file: Path) -> None:
    text = " ".join(file.read_text(encoding="utf-8").split())
    assert "test UAR" not in text or "not free of the selection" in text
    assert not re.search(r"\*\*[01]\.\d", text)  # no score is in bold


def test_nothing_claims_that_test_speakers_chose_nothing() -> None:
    """Where every speaker validates in another fold, they did (`folds.NOT_FREE`)."""
    claim = re.compile(r"test speakers?\W[^.]{0,80}\bcho(o?se|oses|sen?) (nothing|anything)")
    for file in (*TEXTS, *sorted((ROOT / "ser_tune").rglob("*.py"))):
        text = re.sub(r"[\s#*`\"]+", " ", file.read_text(encoding="utf-8").lower())
        assert not [one.group() for one in claim.finditer(text)], file


def test_ci_checks_the_rules_and_then_runs_the_test_command_of_the_readme() -> None:
    rules, everything = [
        line for line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines() if "pytest" in line
    ]
    assert everything in (ROOT / "README.md").read_text(encoding="utf-8")
    assert rules.startswith(f"{everything} -n 0 tests/test_rules.py > ")


def test_the_citation_has_what_readers_of_it_need_and_the_program_s_version() -> None:
    citation = read_yaml((ROOT / "CITATION.cff").read_text(encoding="utf-8"), "CITATION.cff")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"cff-version", "message", "title", "authors", "license"} <= citation.keys()
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])


def test_constraints_pin_every_dependency_to_one_version_and_name_no_address() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert all(line.count("==") == 1 and "/" not in line and "@" not in line for line in lines)
