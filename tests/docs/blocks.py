"""The examples of README.md and docs/: fenced blocks, and the commands in them."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHELL, SHOWN = ("sh", "bash", "console"), ("text", "csv", "json", "yaml", "toml", "dockerfile", "ini", "html", "bibtex")
"""Languages of commands, and of blocks that are no commands: output, tables, files."""
_REASON = re.compile(r"<!-- not run: (.+) -->")
_FILE_NAME = re.compile(r"# ([\w./-]+\.\w+)$")
_EXIT_CODE = re.compile(r"# exit code (\d+)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block."""

    page: str
    line: int
    language: str
    text: str
    reason: str
    """Why the test does not run it; empty where it does."""

    @property
    def place(self) -> str:
        """Page and line, for messages."""
        return f"{self.page}:{self.line}"

    @property
    def file_name(self) -> str:
        """The file that the block is, named by a comment in its first line; empty where there is none."""
        found = _FILE_NAME.match(self.text.partition("\n")[0])
        return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a shell block."""

    words: tuple[str, ...]
    exit_code: int
    """What it ends with, which a comment `# exit code N` says."""

    @property
    def ser_tune(self) -> tuple[str, ...] | None:
        """The arguments of `ser-tune`, wherever it is in the command; None where it is another program's."""
        for number, word in enumerate(self.words):
            if word.rpartition("/")[2] == "ser-tune":
                return self.words[number + 1 :]
        return None


def pages() -> list[Path]:
    """Every page with examples; the generated ones have none."""
    return [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "docs" / "examples").glob("*.md")),
        ROOT / "studies" / "README.md",
    ]


def blocks(page: Path) -> Iterator[Block]:
    """Every fenced block of a page."""
    name = page.relative_to(ROOT).as_posix()
    lines = page.read_text(encoding="utf-8").splitlines()
    start, reason, before = 0, "", ""
    for number, line in enumerate(lines, start=1):
        if not line.startswith("```"):
            before = before if start else line
        elif not start:
            found = _REASON.fullmatch(before)
            start, reason, before = number, found[1] if found else "", ""
        else:
            language = lines[start - 1].removeprefix("```")
            yield Block(name, start, language, "\n".join(lines[start : number - 1]), reason)
            start = 0
    assert not start, f"{name}:{start}: the block has no end"


def inline_commands(page: Path) -> list[tuple[str, ...]]:
    """The arguments of every `ser-tune …` within the prose of a page."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [tuple(shlex.split(one)) for one in re.findall(r"`ser-tune\s([^`]+)`", prose)]


def commands(block: Block) -> Iterator[Command]:
    """The commands of a shell block; of a `console` block, those of its lines that begin with `$`."""
    text = block.text.replace("\\\n", " ")
    for line in text.splitlines():
        if block.language == "console":
            if not line.startswith("$ "):
                continue
            line = line.removeprefix("$ ")
        expected = _EXIT_CODE.search(line)
        for words in _split(line):
            yield Command(tuple(words), int(expected[1]) if expected else 0)


def _split(line: str) -> Iterator[Sequence[str]]:
    """Words of each command of a line; redirections are left out."""
    reader = shlex.shlex(line, posix=True, punctuation_chars=";&|<>")
    reader.whitespace_split = True
    words: list[str] = []
    redirected = False
    for word in reader:
        if set(word) <= set(";&|"):
            if words:
                yield words
            words = []
        elif set(word) <= set("<>&"):
            redirected = True
        elif redirected:
            redirected = False
        else:
            words.append(word)
    if words:
        yield words
