"""An audit as data for JSON, and as a page of HTML."""

from pathlib import Path

from .audit import Audit

__all__ = ["as_html", "as_record"]


def as_record(audit: Audit) -> dict[str, object]:
    """The audit as JSON has it."""
    return {
        "source": audit.source,
        "ok": audit.ok,
        "outcome": audit.outcome,
        "speakers": audit.speakers,
        "rows": audit.rows,
        "recordings": audit.recordings,
        "folds": audit.folds,
        "findings": [
            {"check": one.check, "status": one.status, "verdict": one.verdict, "details": list(one.details)}
            for one in audit.findings
        ],
        "metrics": audit.metrics
        and {
            name: {
                "value": one.value,
                "interval": [one.interval.low, one.interval.high] if one.interval.known else None,
            }
            for name, one in audit.metrics.items()
        },
    }


def as_html(audit: Audit) -> str:
    """The audit as a page that needs no other file; the template escapes what the split's file contains."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("page.html").render(audit=audit)
