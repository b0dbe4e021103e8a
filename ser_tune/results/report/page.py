"""The report as one page of HTML that needs no other file and no network."""

import base64
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ...folds import NOT_FREE
from ...metrics import confusion, describe_score
from .evidence import Report
from .paper import bibtex_of, citations_of, replay_command
from .pictures import Picture, pictures_of
from .tables import baselines, recalls_of, speakers_of

__all__ = ["page_of"]

_SIDES = {
    "validation": "chose the epoch and the trial: optimistic",
    "test": "scored once, each speaker by the network that neither trained nor validated on them",
    "holdout": "kept out of the whole search, scored once by all networks together",
}
_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running", "WAITING": "waiting"}


def page_of(report: Report) -> str:
    """Draw and write the page; every name that comes from data is escaped by the template."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["address"] = _address
    return environment.get_template("page.html").render(
        report=report,
        title=f"{report.reference}: {report.params['model.name']} on {report.protocol.corpus}",
        scores=[
            (side, describe_score(report.metrics, f"{side}_uar"), describe_score(report.metrics, f"{side}_wa"))
            for side in report.sides
        ],
        meanings=_meanings(report),
        baselines=baselines(report),
        judged={
            side: {
                "emotions": one.emotions,
                "counts": confusion(one.truth, one.predicted, len(one.emotions)).tolist(),
                "recalls": recalls_of(one),
                "speakers": speakers_of(one),
            }
            for side, one in report.predictions.items()
        },
        states=_STATES,
        pictures=pictures_of(report),
        paths=sorted({path for one in report.search.trials for path in one.values}) if report.search else [],
        citations=citations_of(report),
        bibtex=bibtex_of(report),
        replay=replay_command(report),
    )


def _meanings(report: Report) -> dict[str, str]:
    """What each side's score is worth."""
    validating, tested = (
        set(report.predictions[side].speakers) if side in report.predictions else set()
        for side in ("validation", "test")
    )
    return _SIDES | ({} if validating.isdisjoint(tested) else {"test": f"{_SIDES['test']}; {NOT_FREE}"})


def _address(picture: Picture) -> str:
    """The picture itself, as an address."""
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.svg).decode()}"
