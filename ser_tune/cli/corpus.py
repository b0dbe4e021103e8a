"""`corpus list`, `corpus check` and `corpus download`: what can be read, whether it is right, and how to get it."""

import json as json_format
import shlex
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..audit import TextBaseline
    from ..corpora.check import CorpusCheck

from .completion import complete_component

__all__ = ["app"]

LISTED = 5
"""Problems of one kind that are printed; --json has all."""

app = typer.Typer(
    help="List corpora, check one on disk, or download it.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Name = Annotated[
    str,
    typer.Argument(
        metavar="CORPUS",
        help="One of `ser-tune corpus list`.",
        autocompletion=complete_component("corpora"),
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_corpora(json: Json = False) -> None:
    """List the corpora: tasks, published numbers of utterances, speakers and emotions, licence, citation."""
    from ..corpora import CORPORA
    from .console import print_json, print_table, results

    sources = [CORPORA.get(name) for name in CORPORA.names()]
    if json:
        print_json(
            [
                {
                    "name": source.name,
                    "tasks": {
                        label: {
                            "description": subset.description,
                            "utterances": sum(subset.emotion_counts.values()) or None,
                            "emotions": dict(subset.emotion_counts),
                        }
                        for label, subset in source.subsets.items()
                    },
                    "speakers": list(source.speakers),
                    "licence": source.licence,
                    "citation": source.citation,
                    "home": source.home or None,
                    "download": source.archive is not None,
                }
                for source in sources
            ]
        )
        return
    rows = []
    for source in sources:
        once = [source.name, str(len(source.speakers) or "any"), source.licence]
        for label, subset in source.subsets.items():
            counts = subset.emotion_counts
            name, speakers, licence = once
            rows.append(
                [name, label, str(sum(counts.values()) or "any"), speakers, ", ".join(sorted(counts)) or "any", licence]
            )
            once = ["", "", ""]  # a corpus's further subsets differ in the other columns alone
    print_table(["name", "task", "utterances", "speakers", "emotions", "licence"], rows)
    results.print()
    for source in sources:
        results.print(f"{source.name}: {source.citation}", markup=False)


@app.command()
def check(
    name: Name,
    data: Annotated[
        Path | None, typer.Option("--data", help="The corpus's folder; for manifest, its CSV file.", show_default=False)
    ] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="Which task; default: the corpus's first.", show_default=False)
    ] = None,
    as_written: Annotated[
        list[str] | None,
        typer.Option(
            "--as-written",
            metavar="NAME",
            help="A name that is a speaker's or an emotion's own, though it looks like a placeholder or another "
            "name's spelling; repeatable. Studies have the setting corpus.names_as_written.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Decode every recording of a corpus, compare its counts with the published ones, and try to draw a study's folds.

    Ends with 1 where something is wrong: a recording that is unreadable, silent, constant, a single click, or at a rate
    outside 4 to 384 kHz; channels that cancel out; one sound under two labels or speakers; a name in two spellings; an
    emotion called unknown; other counts than published. Recordings that are quiet, clipped, off centre, beyond full
    scale or shorter than 0.1 s, other duplicates, texts that tell the emotion, few recordings of an emotion or a
    speaker, and a corpus on which no study is possible are warnings.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from .. import api
    from .console import notes

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=notes, disable=not notes.is_terminal, transient=True) as bars:
        bar = bars.add_task("recordings", total=None)
        checked = api.check(
            name,
            data=data,
            task=task,
            names_as_written=as_written or (),
            progressed=lambda done, total: bars.update(bar, completed=done, total=total),
        )
    found, baseline = checked.check, checked.text_baseline
    if json:
        sys.stdout.write(json_format.dumps(_record(found, baseline), indent=2) + "\n")
    else:
        _print_check(found, baseline)
    if not found.ok:
        raise typer.Exit(1)


def _record(found: "CorpusCheck", baseline: "TextBaseline | None") -> dict[str, object]:
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
        "text_baseline": baseline
        and {
            baseline.metric.name: baseline.value,
            "interval": [baseline.interval.low, baseline.interval.high] if baseline.interval.known else None,
            "chance": baseline.chance,
            "above_chance": baseline.above_chance,
        },
        "kinds": {
            kind: {"wrong": wrong, "warnings": warnings} for kind, (wrong, warnings) in sorted(_counts(found).items())
        },
        "problems": [
            {"kind": one.kind, "wrong": one.wrong, "message": one.message, "utterances": list(one.utterances)}
            for one in found.problems
        ],
    }


def _counts(found: "CorpusCheck") -> dict[str, tuple[int, int]]:
    """How many things of each kind are wrong, and how many are warnings."""
    counts: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for one in found.problems:
        wrong, warnings = counts[one.kind]
        counts[one.kind] = wrong + one.wrong, warnings + (not one.wrong)
    return counts


def _print_check(found: "CorpusCheck", baseline: "TextBaseline | None") -> None:
    from .console import print_table, results

    emotions, speakers, expected = found.emotion_counts, found.speaker_counts, found.expected
    total = sum(found.counts.values())
    rows = [
        [speaker, *(str(found.counts.get((speaker, emotion), 0)) for emotion in emotions), str(count)]
        for speaker, count in speakers.items()
    ]
    rows.append(["total", *map(str, emotions.values()), str(total)])
    columns = ["speaker", *emotions, "total"]
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
    if baseline is not None:
        results.print(f"{found.texts} texts; text-only baseline: {baseline}", markup=False)
    for part, name in enumerate(("wrong", "warnings")):
        if counted := [f"{counts[part]} {kind}" for kind, counts in sorted(_counts(found).items()) if counts[part]]:
            results.print(f"{name}: {', '.join(counted)}", markup=False)
    kinds: dict[tuple[bool, str], list[str]] = defaultdict(list)
    for problem in found.problems:
        kinds[not problem.wrong, problem.kind].append(problem.message)
    for (warning, kind), messages in sorted(kinds.items()):
        for message in messages[:LISTED]:
            results.print(f"{'warning' if warning else 'wrong'}: {kind}: {message}", markup=False)
        if len(messages) > LISTED:
            results.print(f"... and {len(messages) - LISTED} more of this kind; --json has all", markup=False)
    wrong = sum(problem.wrong for problem in found.problems)
    warnings = len(found.problems) - wrong
    verdict = f"{wrong} wrong" if wrong else "nothing is wrong"
    plural = "" if warnings == 1 else "s"
    results.print(f"{found.corpus}, task {found.subset}: {verdict}, {warnings} warning{plural}", markup=False)


@app.command()
def download(
    name: Name,
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder to make; default: .cache/CORPUS.", show_default=False)
    ] = None,
) -> None:
    """Download a corpus that anybody may download, check it, and unpack it into a folder.

    After Ctrl-C or a broken connection the same command goes on from there.
    """
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from ..config import Project
    from ..corpora import CORPORA
    from ..corpora.download import download_corpus
    from .console import notes, results

    source, cache = CORPORA.get(name), Project.locate().cache
    folder = data or cache / name
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=notes, disable=not notes.is_terminal, transient=True) as bars:
        bar = bars.add_task(name, total=None)
        fetched = download_corpus(
            source,
            folder,
            cache,
            progressed=lambda done, total: bars.update(bar, completed=done, total=total),
        )
    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    state = "downloaded to" if fetched else "is already in"
    results.print(f"corpus {name} {state} {shown}, with the published content", markup=False)
    results.print(
        f"next: ser-tune study --model 3d_acrnn --corpus {name} --data {shlex.quote(str(shown))}", markup=False
    )
