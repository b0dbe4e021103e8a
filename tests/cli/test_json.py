"""Every command that prints a table prints JSON with --json."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import typer

from ser_tune.cli.app import app

WITHOUT_TABLE = {"extract", "ui", "sync", "find-lr", "report", "corpus download", "serve", "dashboard", "worker"} | {
    "submission"  # it writes a table of its own form
}


def commands() -> dict[str, Any]:
    """Every command by its name."""
    top = typer.main.get_command(app)
    found: dict[str, Any] = {}
    for name, command in top.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found |= {name: command} if inner is None else {f"{name} {one}": of for one, of in inner.items()}
    return found


@pytest.mark.parametrize("name", sorted(set(commands()) - WITHOUT_TABLE))
def test_a_command_with_a_table_has_json(name: str) -> None:
    command = commands()[name]
    parameters = command.get_params(typer.Context(command))
    assert "--json" in {option for parameter in parameters for option in parameter.opts}


@pytest.mark.slow
def test_results_as_json_hold_the_numbers_of_the_tables(finished_copy: Any, call: Callable[..., Any]) -> None:
    root = finished_copy.root

    def read(*command: str) -> Any:
        told = call(root, *command, "--json")
        assert told.code == 0, told.err
        return json.loads(told.out)

    (study,) = read("study", *finished_copy.args)  # it has ended: nothing is trained
    assert (study["study"], study["complete"], len(study["trials"])) == ("first", 3, 3)
    (promoted,) = read("promote", "first")
    assert promoted["version"] == study["promotion"]["version"] == "1"
    assert promoted["fingerprint"] == study["promotion"]["fingerprint"]
    (combined,) = read("combine", "first:0", "first:1", "--as", "both")
    assert [len(combined["members"]), combined["promotion"]["name"]] == [2, "both"]
    (replayed,) = read("replay", "first:0")
    assert (replayed["identical"], replayed["unequal"]) == (True, [])
    board = read("leaderboard", "--corpus", "manifest")
    assert board == json.loads(call(root, "leaderboard", "--corpus", "manifest", "--format", "json").out)
    (confirmed,) = read("confirm", "first", "--top", "1", "--seeds", "2")
    assert len(confirmed["candidates"][0]["seeds"]) == 2
    change = ("--change", "training.epochs=1", "--seeds", "1", "--name", "changes")
    ablated = read("ablate", finished_copy.args[0], *finished_copy.args[1:5], *change)
    assert [one["change"] for one in ablated] == ["unchanged", "training.epochs=1"]
    assert ablated[0]["difference"] is None
    assert call(root, "leaderboard", "--format", "csv", "--json").code == 2
