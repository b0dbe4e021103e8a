"""Parts of a report for a paper: tables in LaTeX, the BibTeX of everything used, the replay command."""

import re
from collections.abc import Iterator, Mapping, Sequence

from ..architectures import ARCHITECTURES
from ..corpora import CORPORA
from ..encoders import find_checkpoint, short_name
from ..features import FEATURE_SETS
from ..resampling import describe_score
from ..training import LOSSES
from .reported import ReportedResult
from .tables import outputs_of, parted

__all__ = ["bibtex_of", "citations_of", "latex_of", "replay_command"]

JOINED = " + "
"""Between the names of a combination's parts."""
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
    **{character: f"\\{character}" for character in "&%$#_"},
    "{": r"\textbraceleft{}",  # BibTeX counts escaped braces too, and needs pairs
    "}": r"\textbraceright{}",
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "→": r"$\rightarrow$",
    "±": r"$\pm$",
}


def replay_command(report: ReportedResult) -> str:
    """The command that trains the result again and compares every number; empty for a combination."""
    return f"ser-tune replay {report.run_id}" if report.trial is not None else ""


def citations_of(report: ReportedResult) -> dict[str, str]:
    """Citations of everything that was used, in words, by BibTeX key."""
    found: dict[str, str] = {}
    for kind, name, citation in _components(report):
        found[f"{kind}-{re.sub(r'[^A-Za-z0-9]+', '-', name).strip('-')}"] = citation
    searches = report.search is not None and bool(report.search.definition.search)
    importances = report.search is not None and bool(report.search.importances)
    unused = {"optuna": not searches, "ped-anova": not importances}
    return found | {key: citation for key, citation in _TOOLS.items() if not unused.get(key, False)}


def _components(report: ReportedResult) -> Iterator[tuple[str, str, str]]:
    """Kind, name and citation of corpus, architectures, features, losses and pretrained encoders."""
    for name, reader in report.readers.items():
        yield "corpus", name, CORPORA.get(reader).citation
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


def bibtex_of(report: ReportedResult) -> str:
    """An entry for each citation. The whole citation is its note: bibliography styles print it as it is."""
    entries = (f"@misc{{{key},\n  note = {{{_tex(text)}}}\n}}\n" for key, text in citations_of(report).items())
    return "\n".join(entries)


def latex_of(report: ReportedResult) -> str:
    """Scores of every side, and a value of every output, such as a recall, as tables of the package booktabs."""

    def described(metrics: Mapping[str, float], prefix: str) -> list[str]:
        return [describe_score(metrics, f"{prefix}_{metric.name}") for metric in report.scored]

    scores = [[side, report.networks[side], *described(report.metrics, side)] for side in report.sides]
    if corrected := report.corrected:
        scores.insert(1, ["validation, corrected", report.networks["validation"], *described(corrected, "corrected")])
    scores += [[found.name, report.networks["test"], *found.described(report.scored)] for found in report.test_sets]
    parts = [
        f"% {' '.join(report.reference.split())}: run {report.run_id}, protocol {report.protocol.fingerprint}",
        *([f"% {command}"] if (command := replay_command(report)) else []),
        r"% needs \usepackage{booktabs}; in brackets 95 % intervals by bootstrap over speakers",
        "% networks: how many judge an utterance together; the score of several is that of an ensemble",
        _table(["speakers", "networks", *(metric.title for metric in report.scored)], scores),
    ]
    if (metric := parted(report.scored)) is not None:
        for side, predictions in report.predictions.items():
            rows = [
                [row.name, str(row.utterances), f"{row.value:.3f}" + (f" {row.interval}" if row.interval.known else "")]
                for row in outputs_of(predictions, metric)
            ]
            parts += [f"% {side} speakers", _table([report.task.answer, "utterances", metric.part], rows)]
    return "\n".join(parts) + "\n"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [_guarded(" & ".join(map(_tex, row))) + r" \\" for row in (columns, *rows)]
    begin = f"\\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}"
    return "\n".join([begin, r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule", r"\end{tabular}"])


def _guarded(row: str) -> str:
    """A row whose first character TeX does not take for an argument of the row or rule before, as `[` and `*`."""
    return f"{{{row[0]}}}{row[1:]}" if row.startswith(("[", "*")) else row


def _tex(text: str) -> str:
    """Text without TeX commands: special characters are escaped."""
    return "".join(_SPECIAL.get(character, character) for character in " ".join(text.split()))
