"""`studies/cluster/`: files that parse, and commands that the program takes."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from ser_tune.cli.app import app

FOLDER = Path(__file__).parents[1] / "studies" / "cluster"
COMMAND = re.compile(r"ser-tune (?:study|worker|status|train|ui) [^\n&|;>#]*")
VALUE = re.compile(r"\$\{?[A-Z_]+\}?")


def _texts(file: Path) -> Iterator[str]:
    """What a file says, with folded lines joined: of YAML the strings, else the text itself."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".yaml":
        yield re.sub(r'\\\n|"\n\s*"', "", text)
        return

    def strings(node: Any) -> Iterator[str]:
        if isinstance(node, str):
            yield node
        for one in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            yield from strings(one)

    for document in yaml.safe_load_all(text):
        yield from strings(document)


def _commands() -> list[Any]:
    found = []
    for file in sorted(FOLDER.iterdir()):
        for text in _texts(file):
            for match in COMMAND.finditer(text):
                command = VALUE.sub("value", match[0])
                words = shlex.split(command.rstrip('"') if command.count('"') % 2 else command)  # the end of a string
                found.append(pytest.param(words[1:], id=f"{file.name}-{words[1]}"))
    return found


@pytest.mark.parametrize("words", _commands())
def test_the_program_takes_every_command(words: list[str]) -> None:
    program: Any = typer.main.get_command(app)
    if words[0] == "worker" and "worker" not in program.commands:
        pytest.skip("ser-tune worker is not there yet")
    parent = program.make_context("ser-tune", list(words))
    with program.commands[words[0]].make_context(words[0], list(words[1:]), parent=parent) as context:
        assert not context.args


def test_every_way_starts_a_study_and_workers() -> None:
    named = [one.id for one in _commands()]
    for file in ("slurm.sh", "launch_submitit.py", "kubernetes.yaml", "compose.yaml"):
        assert {f"{file}-study", f"{file}-worker"} <= set(named)


def test_the_array_script_is_clean() -> None:
    program = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([program, FOLDER / "slurm.sh"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_launcher_names_its_options_without_submitit() -> None:
    done = subprocess.run(
        [sys.executable, FOLDER / "launch_submitit.py", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--tracking-uri" in done.stdout


@pytest.mark.slow
def test_the_compose_file_is_what_compose_specifies() -> None:
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [program, "--builtin-schema", "vendor.compose-spec", FOLDER / "compose.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_services_name_what_the_compose_file_has() -> None:
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
    assert {"postgres", "objects", "mlflow", "study", "worker"} == set(compose["services"])
    assert compose["services"]["worker"]["deploy"]["replicas"] == 2
    for service in compose["services"].values():
        assert set(service.get("depends_on", ())) <= set(compose["services"])
        sources = [str(volume).split(":")[0] for volume in service.get("volumes", ())]
        assert {one for one in sources if re.fullmatch(r"\w+", one)} <= set(compose["volumes"])
        assert {one["source"] for one in service.get("configs", ())} <= set(compose["configs"])


def test_jobs_mount_volumes_that_they_have() -> None:
    jobs = list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text(encoding="utf-8")))
    assert [job["kind"] for job in jobs] == ["Job", "Job"]
    for job in jobs:
        pod = job["spec"]["template"]["spec"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        (container,) = pod["containers"]
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        given = {variable["name"] for variable in container["env"]}
        assert {one.strip("${}") for one in VALUE.findall(container["args"][0])} <= given
