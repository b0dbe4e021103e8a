"""Printing of `check-model`."""

from pathlib import Path

from ... import api
from ... import results as stored
from ..console import notes, print_json, print_table, results
from ..registration import Call
from ..rows import refuse_no_file, written

__all__ = ["print_model_check"]


def print_model_check(call: Call[api.CheckedModel], *, out: Path | None = None, as_json: bool) -> None:
    """Print every test with its number, threshold and margin; exit code 1 where a test fails.

    Args:
        call: Checks the model.
        out: Also write a page of HTML to this file; MLflow has it in any case.
        as_json: Print JSON.
    """
    refuse_no_file(out, "--out")
    found = call(on_condition=lambda name: notes.print(f"stress: {name}"))
    check, setup = found.check, found.check.setup
    if out is not None:
        with written(out) as file:
            file.write(found.html)
    if as_json:
        rows = stored.check_rows(check.numbers)
        record = {"model": setup.model, "corpus": setup.networks.corpus.name, "passed": check.passed, "tests": rows}
        print_json([record | {"run": found.run_id, "notes": list(setup.notes)}])
    else:
        _print_table(found)
    if not check.passed:
        raise SystemExit(1)


def _print_table(found: api.CheckedModel) -> None:
    check, setup = found.check, found.check.setup
    rows = []
    for number in check.numbers:
        bound = " (of the interval)" * (number.by_bound and number.interval.known)
        rows.append(
            [
                "passed" if number.passed else "FAILED",
                number.title,
                "unknown" if number.value is None else f"{number.value:.4f}",
                str(number.interval) if number.interval.known else "",
                f"at {'least' if number.at_least else 'most'} {number.threshold:g}{bound}",
                "" if number.margin is None else f"{number.margin:+.4f}",
                number.detail,
            ]
        )
    print_table(["result", "test", "number", "95 %", "expected", "margin", "of"], rows)
    for note in setup.notes:
        results.print(f"note: {note}")
    results.print(f"{setup.model} {check.verdict}")
    notes.print(f"run {found.run_id}; the page check.html is its artifact")
