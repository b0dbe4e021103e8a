"""Printing of `corpus list`, `corpus check`, `corpus download`, `extract` and `audit`."""

import json
import shlex
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TransferSpeedColumn,
)

from ... import api, audit
from ..console import notes, print_json, print_table, results, shortest, shown
from ..registration import Call, Forms
from .agreement import agreement_record, baseline_record, print_agreement

if TYPE_CHECKING:
    from ...audit import Audit
    from ...corpora import CorpusSource, Subset
    from ...corpora.check import CorpusCheck

__all__ = [
    "check_record",
    "print_audit",
    "print_check",
    "print_checked",
    "print_corpora",
    "print_download",
    "progress_bar",
    "write_segments",
]

LISTED = 5
"""Problems of one kind that are printed; --json has all."""
FROM = (
    "from: download is `ser-tune corpus download NAME`; page and request are to be got from the owners, by the "
    "addresses below; made is `ser-tune corpus make FOLDER`"
)
"""Meaning of the column `from` of `corpus list`."""
AUDIT_CODES = {"ok": 0, "leaks": 1, "wrong": 1, "unchecked": 3}
"""Exit code of each outcome."""


@contextmanager
def progress_bar(title: str, *counts: ProgressColumn) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on a terminal's standard error; the function that moves it takes how much is done, of how much."""
    columns = (TextColumn("{task.description}"), BarColumn(), *counts)
    with Progress(*columns, console=notes, disable=not notes.is_terminal, transient=True) as bars:
        bar = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)


def print_audit(call: "Call[Audit]", *, form: Annotated[str, Forms(("table", "json", "html"))] = "table") -> None:
    """Print the findings about a split; exit codes of `AUDIT_CODES`."""
    with progress_bar("recordings", MofNCompleteColumn()) as progressed:
        found = call(progressed=progressed)
    if form == "json":
        sys.stdout.write(json.dumps(audit.as_record(found), indent=2) + "\n")
    elif form == "html":
        shown(sys.stdout).write(audit.as_html(found))
    else:
        print_table(["check", "result", "verdict"], [[row.check, row.status, row.verdict] for row in found.findings])
        for finding in found.findings:
            if not finding.clean or finding.status == "unchecked":
                for detail in finding.details:
                    results.print(f"{finding.check}: {detail}")
        results.print(found.summary)
    if code := AUDIT_CODES[found.outcome]:
        raise SystemExit(code)


def write_segments(call: Call[api.ExtractedCorpus], *, out: Path) -> None:
    """Write a corpus's segments to a file.

    Args:
        call: Extracts the segments.
        out: File to write, .npz or .pkl.
    """
    from ...features import refuse_other_format, write_export  # torch
    from ..progress import ProgressObserver

    refuse_other_format(out)  # before minutes of extraction
    with ProgressObserver() as progress:
        found = call(progressed=progress.extraction_progressed)
    if found.licence:
        notes.print(f"note: {found.licence}")
    exported = found.segments
    write_export(out, exported, {f"{found.answer}s": found.names})
    shape = next(iter(exported.values()))[0].shape[1:]
    total = sum(len(arrays[0]) for arrays in exported.values())
    notes.print(f"{out}: {len(exported)} speakers, {total} segments of {shape}, {out.stat().st_size / 1e6:.1f} MB")


def print_corpora(call: "Call[Sequence[CorpusSource]]", *, as_json: bool) -> None:
    """Print the corpora with their tasks, then their citations."""
    sources = call()
    if as_json:
        print_json([_source_record(source) for source in sources])
        return
    rows = []
    for source in sources:
        unknown = "any" if source.name == "manifest" else ""
        once = [source.name, str(len(source.speakers) or unknown), " ".join(source.languages), _access(source)]
        for label, subset in source.subsets.items():
            emotions = ", ".join(sorted(subset.emotion_counts or subset.emotions or subset.all_emotions)) or unknown
            name, speakers, languages, access = once
            rows.append([name, label, str(_total(subset) or unknown), speakers, languages, access, emotions])
            once = ["", "", "", ""]  # a corpus's further subsets differ in the other columns alone
    print_table(["name", "task", "utterances", "speakers", "language", "from", "emotions"], rows)
    results.print()
    results.print(FROM, soft_wrap=True)
    results.print()
    for source in sources:
        home = f"; {source.home}" if source.home else ""
        results.print(f"{source.name}: {source.citation}. Licence: {source.licence}{home}", soft_wrap=True)


def _access(source: "CorpusSource") -> str:
    """The way to a corpus's recordings, as `FROM` describes it."""
    if source.archive is not None:
        return "download"
    if source.on_request:
        return "request"
    if source.home:
        return "page"
    return "made" if source.read_allowing is not None else "built in"


def _total(subset: "Subset") -> int:
    """Published utterances of a subset; 0 where they are not known."""
    return sum(subset.emotion_counts.values()) or subset.total or 0


def _source_record(source: "CorpusSource") -> dict[str, object]:
    return {
        "name": source.name,
        "tasks": {
            label: {
                "description": subset.description,
                "utterances": _total(subset) or None,
                "emotions": dict(subset.emotion_counts),
            }
            for label, subset in source.subsets.items()
        },
        "speakers": list(source.speakers),
        "languages": list(source.languages),
        "access": _access(source),
        "licence": source.licence,
        "citation": source.citation,
        "home": source.home or None,
        "download": source.archive is not None,
    }


def print_download(call: "Call[tuple[Path, bool]]", *, name: str) -> None:
    """Print the folder of a corpus, and the next command."""
    with progress_bar(name, DownloadColumn(), TransferSpeedColumn()) as progressed:
        folder, fetched = call(progressed=progressed)
    written = shortest(folder)
    state = "downloaded to" if fetched else "is already in"
    results.print(f"corpus {name} {state} {written}, with the published content")
    results.print(f"next: ser-tune study --model 3d_acrnn --corpus {name} --data {shlex.quote(written)}")


def print_check(call: Call[api.CheckedCorpus], *, as_json: bool) -> None:
    """Print counts and problems of a corpus; exit code 1 where something is wrong."""
    with progress_bar("recordings", MofNCompleteColumn()) as progressed:
        checked = call(progressed=progressed)
    found = checked.check
    if as_json:
        sys.stdout.write(json.dumps(check_record(checked), indent=2) + "\n")
    else:
        print_checked(checked)
    if not found.ok:
        raise SystemExit(1)


def check_record(checked: api.CheckedCorpus) -> dict[str, object]:
    """The counts and problems of a corpus, as JSON has them."""
    found = checked.check
    speakers: dict[str, dict[str, int]] = defaultdict(dict)
    for (speaker, emotion), count in sorted(found.counts.items()):
        speakers[speaker][emotion] = count
    lengths_s = found.lengths_s
    return {
        "corpus": found.corpus,
        "task": found.subset,
        "ok": found.ok,
        "utterances": sum(found.counts.values()),
        "emotions": dict(found.emotion_counts),
        "speakers": speakers,
        "expected": {
            "emotions": dict(found.expected.emotion_counts),
            "speakers": dict(found.expected.speaker_counts),
        },
        "total_h": sum(lengths_s) / 3600,
        "shortest_s": min(lengths_s, default=None),
        "mean_s": sum(lengths_s) / len(lengths_s) if lengths_s else None,
        "longest_s": max(lengths_s, default=None),
        "sample_rates_hz": dict(found.sample_rates_hz),
        "channels": dict(found.channels),
        "texts": found.texts,
        "left_out": found.left_out,
        "split": [asdict(side) for side in checked.sides],
        "text_baseline": baseline_record(checked.text_baseline),
        "speaker_baseline": baseline_record(checked.speaker_baseline),
        "agreement": checked.agreement and agreement_record(checked.agreement),
        "kinds": {
            kind: {"wrong": wrong, "warnings": warnings} for kind, (wrong, warnings) in sorted(_counts(found).items())
        },
        "problems": [
            {
                "kind": problem.kind,
                "wrong": problem.wrong,
                "message": problem.message,
                "utterances": list(problem.utterances),
            }
            for problem in found.problems
        ],
    }


def _counts(found: "CorpusCheck") -> dict[str, tuple[int, int]]:
    """Count the errors and the warnings of each kind."""
    counts: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for problem in found.problems:
        wrong, warnings = counts[problem.kind]
        counts[problem.kind] = wrong + problem.wrong, warnings + (not problem.wrong)
    return counts


def print_checked(checked: api.CheckedCorpus) -> None:
    """Print the counts and problems of a corpus."""
    found = checked.check
    _print_recordings(found)
    if checked.sides:
        rows = [
            [side.name, *map(str, (side.utterances, side.speakers, side.of_nobody, side.withheld))]
            for side in checked.sides
        ]
        print_table(["official split", "utterances", "speakers", "of unknown speakers", "without labels"], rows)
    if found.left_out:
        results.print(f"left out: {found.left_out} utterances without the label that the task needs")
    if checked.agreement is not None:
        print_agreement(checked.agreement)
    if checked.text_baseline is not None:
        results.print(f"{found.texts} texts; text-only baseline: {checked.text_baseline}")
    if checked.speaker_baseline is not None:
        results.print(f"speaker-mean baseline: {checked.speaker_baseline}")
    _print_problems(found)


def _print_recordings(found: "CorpusCheck") -> None:
    """Print counts by speaker and emotion, lengths, sample rates and channels."""
    emotions, speakers, expected = found.emotion_counts, found.speaker_counts, found.expected
    total = sum(found.counts.values())
    rows = [
        [speaker, *(str(found.counts.get((speaker, emotion), 0)) for emotion in emotions), str(count)]
        for speaker, count in speakers.items()
    ]
    rows.append(["total", *map(str, emotions.values()), str(total)])
    columns = ["speaker", *(name or "no consensus" for name in emotions), "total"]
    if expected.emotion_counts:
        wanted = expected.emotion_counts
        rows.append(["known", *(str(wanted.get(emotion, 0)) for emotion in emotions), str(sum(wanted.values()))])
    if expected.speaker_counts:
        columns.append("known")
        wanted = expected.speaker_counts
        for row, speaker in zip(rows, speakers, strict=False):  # the last rows are of no speaker
            row.append(str(wanted.get(speaker, 0)))
        rows[len(speakers)].append(str(sum(wanted.values())))
    print_table(columns, [[*row, *[""] * (len(columns) - len(row))] for row in rows])
    lengths_s = found.lengths_s
    if lengths_s:
        results.print(
            f"{len(lengths_s)} recordings, {sum(lengths_s) / 3600:.3f} h: {min(lengths_s):.2f} s to "
            f"{max(lengths_s):.2f} s, mean {sum(lengths_s) / len(lengths_s):.2f} s"
        )
        rates = ", ".join(f"{rate} Hz ({count})" for rate, count in found.sample_rates_hz.items())
        channels = ", ".join(f"{number} ({count})" for number, count in found.channels.items())
        results.print(f"sample rates: {rates}; channels: {channels}")


def _print_problems(found: "CorpusCheck") -> None:
    """Print the number of problems of each kind, the first ones, and the verdict."""
    for part, name in enumerate(("wrong", "warnings")):
        if counted := [f"{counts[part]} {kind}" for kind, counts in sorted(_counts(found).items()) if counts[part]]:
            results.print(f"{name}: {', '.join(counted)}")
    kinds: dict[tuple[bool, str], list[str]] = defaultdict(list)
    for problem in found.problems:
        kinds[not problem.wrong, problem.kind].append(problem.message)
    for (warning, kind), messages in sorted(kinds.items()):
        for message in messages[:LISTED]:
            results.print(f"{'warning' if warning else 'wrong'}: {kind}: {message}")
        if len(messages) > LISTED:
            results.print(f"... and {len(messages) - LISTED} more of this kind; --json has all")
    wrong = sum(problem.wrong for problem in found.problems)
    warnings = len(found.problems) - wrong
    verdict = f"{wrong} wrong" if wrong else "nothing is wrong"
    plural = "" if warnings == 1 else "s"
    results.print(f"{found.corpus}, task {found.subset}: {verdict}, {warnings} warning{plural}")
