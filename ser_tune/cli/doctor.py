"""`doctor`: what is right, what is wrong, and what to do."""

from dataclasses import asdict

from .. import api
from .console import notes, print_json, print_table

__all__ = ["show_findings"]


def show_findings(*, as_json: bool) -> None:
    """Print a line for everything that was looked at; exit code 1 where something is wrong."""
    with notes.status("") as progress:
        found = api.doctor(on_check=lambda subject: progress.update(subject))
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        rows = [[one.state, one.subject, one.found, one.advice] for one in found]
        print_table(("state", "subject", "found", "what to do"), rows)
    if any(one.state == "wrong" for one in found):
        raise SystemExit(1)
