"""README.md and docs/: commands parse, examples run, links lead somewhere, the reference is fresh."""

import contextlib
import importlib
import io
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import typer

from ser_tune import api
from ser_tune.api.configuration import define
from ser_tune.cli.app import app
from ser_tune.config import flagged_settings
from ser_tune.errors import SerTuneError
from ser_tune.search import read_assignments
from tests.docs.blocks import ROOT, SHELL, SHOWN, Block, Command, blocks, commands, inline_commands, pages
from tests.project_copies import copy_project
from tests.reference import FOLDER, PAGES

BLOCKS = list(chain.from_iterable(map(blocks, pages())))
NOT_RUN = {
    "CONTRIBUTING.md": 1,
    "README.md": 7,
    "docs/cluster.md": 3,
    "docs/deploying.md": 5,
    "docs/examples/emodb.md": 4,
    "docs/examples/urdu.md": 3,
    "docs/examples/votes.md": 3,
    "docs/exporting.md": 1,
    "docs/labels.md": 1,
    "docs/looking.md": 4,
    "docs/new_architecture.md": 1,
    "docs/objectives.md": 1,
    "docs/own_corpus.md": 5,
    "docs/predicting.md": 7,
    "docs/pretrained_encoder.md": 2,
    "docs/project_folder.md": 1,
    "docs/python.md": 1,
    "docs/reading_numbers.md": 3,
    "docs/searching.md": 4,
    "docs/several_corpora.md": 5,
    "docs/speed.md": 2,
    "docs/workers.md": 2,
    "docs/writing_the_paper.md": 1,
    "studies/README.md": 8,
}
"""Examples with a reason why they are not run, of each page."""
DEFINING = ("study", "train", "find-lr", "ablate")
"""Commands whose arguments define a study."""
PLACEHOLDER = re.compile(r"\b[A-Z]{3,}(\.yaml)?$")
"""What a reader replaces, such as DIR, or FILE.yaml."""


def _parsed(words: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The command's name and parameters; raises where there is no such command, option or kind of value."""
    command: Any = typer.main.get_command(app)
    names: list[str] = []
    rest = list(words)
    while hasattr(command, "commands"):
        assert rest, f"ser-tune {' '.join(words)}: the command is missing"
        if rest[0] in [option for one in command.params for option in one.opts]:  # such as --install-completion
            return " ".join(names), {}
        assert rest[0] in command.commands, f"there is no command 'ser-tune {' '.join([*names, rest[0]])}'"
        command = command.commands[rest[0]]
        names.append(rest.pop(0))
    return " ".join(names), command.make_context(names[-1], rest).params


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that examples write."""
    for block in BLOCKS:
        if block.file_name:
            path = tmp_path / block.file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_block_names_its_language() -> None:
    known = {*SHELL, *SHOWN, "python"}
    wrong = [f"{block.place}: '{block.language}'" for block in BLOCKS if block.language not in known]
    assert not wrong, f"expected one of {', '.join(sorted(known))}"


def test_only_counted_examples_are_not_run_and_each_has_a_reason() -> None:
    found: dict[str, list[str]] = {}
    for block in BLOCKS:
        if block.reason:
            assert block.language not in SHOWN, f"{block.place} is no command; nothing would run it"
            found.setdefault(block.page, []).append(f"{block.place}: {block.reason}")
    counted = {page: len(reasons) for page, reasons in found.items()}
    assert counted == NOT_RUN, "\n".join(chain.from_iterable(found.values()))


@pytest.mark.parametrize("page", [page.relative_to(ROOT).as_posix() for page in pages()])
def test_every_command_has_only_commands_options_settings_and_files_that_exist(page: str, files: Path) -> None:
    paths = _paths()
    for words in inline_commands(ROOT / page):
        command: Any = typer.main.get_command(app)
        rest = list(words)
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]
        if rest:  # else it only names a command
            _check_arguments(page, words, paths)
    for block in BLOCKS:
        if block.page != page or block.language not in SHELL:
            continue
        for command in commands(block):
            if command.ser_tune is None:
                assert block.reason, f"{block.place}: '{command.words[0]}' is not run; give the reason in a comment"
                _check_other_program(block, command)
            elif not _plugins_of(page) & set(re.findall(r"\w+", " ".join(command.words))):  # installed where they run
                _check_arguments(block.place, command.ser_tune, paths)


@cache
def _paths() -> set[str]:
    """The paths of all settings."""
    return {row["path"] for row in api.options()}


def _plugins_of(page: str) -> set[str]:
    """The names of the components that a page's own package adds."""
    files = [tomllib.loads(block.text) for block in BLOCKS if block.page == page and block.language == "toml"]
    groups = [group for file in files for group in file["project"]["entry-points"].values()]
    return {name for group in groups for name in group}


def _check_arguments(place: str, words: Sequence[str], paths: set[str]) -> None:
    try:
        name, given = _parsed(words)
    except (typer.TyperException, SerTuneError) as error:
        pytest.fail(f"{place}: ser-tune {' '.join(words)}: {error}")
    assigned = given.get("settings") or []
    for assignment in (*assigned, *(change for one in given.get("changes") or () for change in one.split(","))):
        path = assignment.partition("=")[0]
        assert path in {*paths, "..."}, f"{place}: there is no setting '{path}'"
    if name in DEFINING and not PLACEHOLDER.search(str(given["file"])):
        flags: Any = {key: given[key] for key in flagged_settings() if given.get(key)}
        try:
            define(given["file"], flags, read_assignments([one for one in assigned if not PLACEHOLDER.search(one)]))
        except SerTuneError as error:
            pytest.fail(f"{place}: ser-tune {' '.join(words)}: {error}")


def _check_other_program(block: Block, command: Command) -> None:
    """Installed extras, modules and test files exist."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = " ".join(command.words)
    for extra in re.findall(r"\.\[([\w,]+)\]", text):
        assert set(extra.split(",")) <= set(project["optional-dependencies"]), f"{block.place}: no extra '{extra}'"
    for module in re.findall(r"-m (tests[\w.]*)", text):
        assert (ROOT / module.replace(".", "/")).exists() or (ROOT / f"{module.replace('.', '/')}.py").is_file(), module
    for file in re.findall(r"(?:^| )(tests/\S+|constraints\.txt)", text):
        assert (ROOT / file).exists(), f"{block.place}: there is no {file}"


@pytest.fixture(scope="module")
def shared_project(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project in which all pages run: what one page made, the next finds complete."""
    return copy_project(databases, tmp_path_factory.mktemp("examples") / "project")


@pytest.fixture
def project_of_examples(shared_project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The shared project as current folder, from which modules are imported, and the process as it was afterwards."""
    import mlflow

    for name in ("MLFLOW_TRACKING_URI", "SER_TUNE_CACHE"):
        monkeypatch.setenv(name, "")  # so that what the examples set is undone
        monkeypatch.delenv(name)
    monkeypatch.chdir(shared_project)
    monkeypatch.syspath_prepend(shared_project)
    before = set(sys.modules)
    yield shared_project
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # the default again
    _forget_plugins()
    for name in set(sys.modules) - before:
        if name.startswith("my_package"):
            del sys.modules[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", list(dict.fromkeys(one.page for one in BLOCKS if not one.reason and one.language not in SHOWN))
)
def test_examples_run(page: str, project_of_examples: Path, call: Callable[..., Any]) -> None:
    namespace: dict[str, Any] = {}
    for block in (block for block in BLOCKS if block.page == page and not block.reason):
        if block.file_name:
            file = project_of_examples / block.file_name
            file.parent.mkdir(exist_ok=True)
            if file.suffix == ".py":  # a regular package, as in other tests of this process: inspect remembers its file
                (file.parent / "__init__.py").touch()
            file.write_text(block.text, encoding="utf-8")
        if block.language in SHELL:
            for command in commands(block):
                assert command.ser_tune is not None, f"{block.place}: {command.words}"
                cache = {"SER_TUNE_CACHE": str(project_of_examples / ".cache")}
                told = call(project_of_examples, *command.ser_tune, environment=cache)
                assert told.code == command.exit_code, f"{block.place}: {' '.join(command.words)}\n{told.err}"
        elif block.language == "python":
            with contextlib.redirect_stdout(io.StringIO()):
                if block.file_name:
                    importlib.invalidate_caches()
                    importlib.import_module(block.file_name.removesuffix(".py").replace("/", "."))
                else:
                    exec(compile(block.text, block.place, "exec"), namespace)
        elif block.language == "toml":
            _install(project_of_examples, tomllib.loads(block.text))


def _install(folder: Path, pyproject: dict[str, Any]) -> None:
    """Write what pip writes of a package with entry points, so that ser-tune finds its components."""
    information = folder / "my_package-1.0.dist-info"
    information.mkdir(exist_ok=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n", encoding="utf-8")
    with (information / "entry_points.txt").open("a", encoding="utf-8") as file:
        for group, entries in pyproject["project"]["entry-points"].items():
            file.write(f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items()))
    _forget_plugins()


def _forget_plugins() -> None:
    """Let ser-tune, and the copies of it in registered models, look for installed packages again."""
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) and Path(str(module.__file__)).name == "components.py":
            module._installed.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_the_reference_is_what_the_program_has_now(name: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run `python -m tests.reference`"


def test_every_command_is_in_an_example() -> None:
    named = {
        " ".join(command.ser_tune or ()) for block in BLOCKS if block.language in SHELL for command in commands(block)
    }
    group: Any = typer.main.get_command(app)
    missing = [name for name in group.commands if not any(one.startswith(name) for one in named)]
    assert not missing


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages_of_docs = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    pages_of_docs += [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.ipynb")]
    assert [page for page in pages_of_docs if page != "README.md" and f"({page})" not in index] == []


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_to_a_file_and_a_heading_that_exist() -> None:
    broken = []
    for page in (*pages(), *FOLDER.glob("*.md"), ROOT / "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if re.match(r"\w+:", target):
                continue
            file, _, anchor = target.partition("#")
            path = (page.parent / file).resolve() if file else page
            if not path.exists() or (anchor and anchor not in _anchors(path)):
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []
