"""What a paper takes from a report: tables in LaTeX, the BibTeX of everything used, the replay command."""

import re
from collections.abc import Iterator, Sequence

from ..architectures import ARCHITECTURES
from ..corpora import CORPORA
from ..encoders import find_checkpoint, short_name
from ..features import FEATURE_SETS
from ..resampling import describe_score
from ..training import LOSSES
from .report import Report
from .tables import classes_of, parted

__all__ = ["bibtex_of", "citations_of", "latex_of", "replay_command"]

JOINED = " + "
"""Between the names of what a combination is made of."""
_TOOLS = {
    "optuna": "T. Akiba et al.: Optuna: A Next-generation Hyperparameter Optimization Framework, KDD 2019, arXiv "
    "1907.10902",
    "ped-anova": "S. Watanabe, A. Bansal, F. Hutter: PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in "
    "Arbitrary Subspaces, IJCAI 2023, arXiv 2304.10255",
    "mlflow": "M. Zaharia et al.: Accelerating the Machine Learning Lifecycle with MLflow, IEEE Data Engineering "
    "Bulletin 41(4), 2018",
    "pytorch": "A. Paszke et al.: PyTorch: An Imperative Style, High-Performance Deep Learning Library, NeurIPS 2019, "
    "arXiv 1912.01703",
    "cluster-bootstrap": "C. Field, A. Welsh: Bootstrapping clustered data, JRSS B 69(3), 2007 (the intervals)",
}
_SPECIAL = {
    **{one: f"\\{one}" for one in "&%$#_"},
    "{": r"\textbraceleft{}",  # an escaped brace would still count for BibTeX, which wants them in pairs
    "}": r"\textbraceright{}",
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "→": r"$\rightarrow$",
    "±": r"$\pm$",
}


def replay_command(report: Report) -> str:
    """The command that trains the result again and compares every number; of a combination there is none."""
    return f"ser-tune replay {report.run_id}" if report.trial is not None else ""


def citations_of(report: Report) -> dict[str, str]:
    """What was used, by a BibTeX key, with its citation in words."""
    found: dict[str, str] = {}
    for kind, name, citation in _components(report):
        found[f"{kind}-{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-')}"] = citation
    searches = report.search is not None and bool(report.search.definition.search)
    importances = report.search is not None and bool(report.search.importances)
    unused = {"optuna": not searches, "ped-anova": not importances}
    return found | {key: citation for key, citation in _TOOLS.items() if not unused.get(key, False)}


def _components(report: Report) -> Iterator[tuple[str, str, str]]:
    """Kind, name and citation of corpus, architectures, features, losses and pretrained encoders."""
    yield "corpus", report.protocol.corpus, CORPORA.get(report.protocol.corpus).citation
    params = report.params
    for name in params["model.name"].split(JOINED):
        yield "model", name, ARCHITECTURES.get(name).citation
    for name in params["features.name"].split(JOINED):
        yield "features", name, FEATURE_SETS.get(name).citation
    if "loss.name" in params:
        yield "loss", params["loss.name"], LOSSES.get(params["loss.name"]).citation
    for path in ("features.checkpoint", "model.checkpoint"):
        if path in params and (known := find_checkpoint(params[path])) is not None:
            yield "encoder", short_name(params[path]), known.citation


def bibtex_of(report: Report) -> str:
    """An entry for each citation. The whole citation is its note: bibliography styles print it as it is."""
    entries = (f"@misc{{{key},\n  note = {{{_tex(text)}}}\n}}\n" for key, text in citations_of(report).items())
    return "\n".join(entries)


def latex_of(report: Report) -> str:
    """Scores of every side, and of every class its recall or the like, as tables of the package booktabs."""
    scores = [
        [side, report.networks[side], *(describe_score(report.metrics, f"{side}_{one.name}") for one in report.scored)]
        for side in report.sides
    ]
    if report.corrected:
        corrected = [describe_score(report.corrected, f"corrected_{one.name}") for one in report.scored]
        scores.insert(1, ["validation, corrected", report.networks["validation"], *corrected])
    parts = [
        f"% {' '.join(report.reference.split())}: run {report.run_id}, protocol {report.protocol.fingerprint}",
        *([f"% {command}"] if (command := replay_command(report)) else []),
        r"% needs \usepackage{booktabs}; in brackets 95 % intervals by bootstrap over speakers",
        "% networks: how many judge an utterance together; the score of several is that of an ensemble",
        _table(["speakers", "networks", *(one.title for one in report.scored)], scores),
    ]
    if report.of_classes and (metric := parted(report.scored)) is not None:
        for side, predictions in report.predictions.items():
            rows = [
                [one.name, str(one.utterances), f"{one.value:.3f}" + (f" {one.interval}" if one.interval.known else "")]
                for one in classes_of(predictions, metric)
            ]
            parts += [f"% {side} speakers", _table([report.task.answer, "utterances", metric.part], rows)]
    return "\n".join(parts) + "\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [_guarded(" & ".join(map(_tex, row))) + r" \\" for row in (columns, *rows)]
    begin = f"\\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}"
    return "\n".join([begin, r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule", r"\end{tabular}"])


def _guarded(row: str) -> str:
    """A row whose first character is not taken for an argument of the row or rule before: `[` and `*` would be."""
    return f"{{{row[0]}}}{row[1:]}" if row.startswith(("[", "*")) else row


def _tex(text: str) -> str:
    """Text with everything escaped that TeX takes for a command."""
    return "".join(_SPECIAL.get(one, one) for one in " ".join(text.split()))
