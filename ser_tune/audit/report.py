"""An audit as data for JSON, and as a page of HTML."""

from html import escape

from .audit import Audit

__all__ = ["as_html", "as_record"]

_STYLE = """body { font: 16px/1.4 sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid #ccc; padding: 0.4em 0.8em 0.4em 0; text-align: left; vertical-align: top; }
.leak, .wrong { color: #b00020; font-weight: bold; }
.unchecked { color: #777; }
ul { margin: 0.3em 0 0; padding-left: 1.2em; }"""


def as_record(audit: Audit) -> dict[str, object]:
    """The audit as JSON has it."""
    return {
        "source": audit.source,
        "ok": audit.ok,
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
    """The audit as a page that needs no other file; what the split's file says is escaped."""
    rows = []
    for one in audit.findings:
        details = "".join(f"<li>{escape(detail)}</li>" for detail in one.details)
        listed = f"<ul>{details}</ul>" if details else ""
        rows.append(
            f'<tr><td>{escape(one.check)}</td><td class="{one.status}">{one.status}</td>'
            f"<td>{escape(one.verdict)}{listed}</td></tr>"
        )
    title = escape(f"Audit of {audit.source}")
    table = "\n".join(rows)
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title><style>
{_STYLE}
</style></head>
<body>
<h1>{title}</h1>
<p>{escape(audit.summary)}</p>
<table>
<tr><th>check</th><th>result</th><th>verdict</th></tr>
{table}
</table>
</body>
</html>
"""
