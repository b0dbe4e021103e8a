"""One emotion an utterance and its recall are one task and one metric of several: few files name them."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from ser_tune.corpora import CORPORA
from ser_tune.metrics import METRICS
from ser_tune.tasks import TASKS

ROOT = Path(__file__).parents[1]
WORDS = {"uar", "wa", "emotion", "emotions"}
MOST = 42

ALLOWED: dict[str, tuple[str, ...]] = {
    "metrics and tasks, which define them": (
        "metrics/__init__.py",
        "metrics/uar.py",
        "metrics/wa.py",
        "tasks/classification.py",
        "tasks/distribution.py",
        "tasks/multilabel.py",
    ),
    "corpora, whose recordings have an emotion": (
        "api/corpus_checks.py",
        "cli/printing/corpora.py",
        "corpora/audformat_layout.py",
        "corpora/base.py",
        "corpora/challenge.py",
        "corpora/check.py",
        "corpora/check_names.py",
        "corpora/columns.py",
        "corpora/digests.py",
        "corpora/huggingface_layout.py",
        "corpora/label_columns.py",
        "corpora/layouts.py",
        "corpora/making.py",
        "corpora/mapping.py",
        "corpora/mapping_tables.py",
        "corpora/named_layout.py",
        "corpora/selection.py",
        "corpora/sides.py",
        "corpora/table.py",
        "corpora/union.py",
        "corpora/utterance.py",
    ),
    "splits of other projects, which are of emotions, and whose authors claim UAR and WA": (
        "audit/claims.py",
        "audit/file_checks.py",
        "audit/recomputed.py",
        "audit/split_reading.py",
        "audit/sound_checks.py",
        "audit/speaker_patterns.py",
        "audit/split.py",
        "audit/split_rows.py",
    ),
    "published numbers, which are UAR and WA": ("results/published_numbers.py",),
    "settings and options of users: a corpus's emotions": (
        "api/comparisons.py",
        "cli/printing/comparisons.py",
        "cli/written_arguments.py",
        "config/study.py",
    ),
    "addresses of checkpoints, and the field's name": (
        "encoders/catalogue.py",
        "export/readme.py",
    ),
}
"""Why to the files of `ser_tune`, beside the corpora of the catalogue."""


@cache
def parts(name: str) -> set[str]:
    """The words of a name, in lower case.

    >>> sorted(parts("EmotionCounts")), sorted(parts("fold_uar_mean")), sorted(parts("validation_recall/anger"))
    (['counts', 'emotion'], ['fold', 'mean', 'uar'], ['anger', 'recall', 'validation'])
    """
    humps = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return set(re.split(r"[^a-z0-9]+", humps.lower()))


def names_in(source: str) -> Iterator[str]:
    """Every identifier of some code, and every string without blanks that is no docstring and no part of a sentence."""
    tree = ast.parse(source)
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            pieces = [piece for piece in node.values if isinstance(piece, ast.Constant)]
            if any(re.search(r"\s", str(piece.value)) for piece in pieces):
                texts |= {id(piece) for piece in pieces}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and id(node) not in texts and not re.search(r"\s", node.value):
                yield node.value
            continue
        for _, value in ast.iter_fields(node):
            yield from (one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str))


def sources() -> Iterator[tuple[str, str]]:
    """The files of `ser_tune`: their path in it, and their code."""
    for path in sorted((ROOT / "ser_tune").rglob("*.py")):
        yield path.relative_to(ROOT / "ser_tune").as_posix(), path.read_text("utf-8")


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("uar = 1", True),
        ("one.fold_uar_mean", True),
        ("def of_emotion(): pass", True),
        ("class EmotionCounts: pass", True),
        ("call(emotions=())", True),
        ("from m import uar as u", True),
        ("match x:\n    case {'a': 1, **emotions}: pass", True),
        ("f'{side}_uar'", True),
        ("row['emotion']", True),
        ("x = 'UAR'", True),
        ("'mean UAR of the folds'", False),
        ("f'{title} is no {answer}-emotion, as it seems'", False),
        ("'''uar'''", False),
        ("x = 1\n'''uar'''", False),
        ("def f():\n    'emotion'", False),
        ("was = software = emotional = 1", False),
    ],
)
def test_names_are_found_and_sentences_are_not(code: str, found: bool) -> None:
    assert any(parts(name) & WORDS for name in names_in(code)) is found


def test_few_files_name_an_emotion_or_a_recall() -> None:
    """A task and a metric from outside go through all other files; a text for people may name them anywhere."""
    naming = {file for file, source in sources() if any(parts(name) & WORDS for name in names_in(source))}
    listed = {file for files in ALLOWED.values() for file in files}
    assert len(listed) <= MOST
    allowed = listed | {f"corpora/{module}.py" for module in CORPORA.modules.values()}
    assert not naming - allowed, "names of one task or metric where any may be: use Task and Metric"
    assert not allowed - naming, "these need no entry any more"


def test_no_file_asks_which_task_or_metric_it_has() -> None:
    """It asks the task, not its name."""
    known = {*METRICS.names(), *TASKS.names()}
    asking = []
    for file, source in sources():
        for node in ast.walk(ast.parse(source)):
            compared = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
            cases = [node.value] if isinstance(node, ast.MatchValue) else []
            if any(isinstance(one, ast.Constant) and one.value in known for one in (*compared, *cases)):
                asking.append(f"{file}:{node.lineno}")
    assert not asking
