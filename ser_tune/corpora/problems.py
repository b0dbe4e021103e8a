"""Problems of a table, all in one sentence."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import CorpusError

__all__ = ["Problems"]

LISTED_LINES = 5
LISTED_KINDS = 8


@dataclass(slots=True)
class Problems:
    """Problems of a table's lines, collected by kind."""

    file: Path
    _found: dict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    """Kind to line and sentence of each; line 0 is the whole table."""

    def add(self, kind: str, line: int, sentence: str) -> None:
        """Note a problem.

        Args:
            kind: Equal for problems of one cause; only the first of a kind is described.
            line: Of the file, from 1; 0 is the whole table.
            sentence: Describes the problem of the line.
        """
        self._found[kind].append((line, "\\n".join(sentence.splitlines())))

    def __len__(self) -> int:
        """The number of problems."""
        return sum(map(len, self._found.values()))

    def refuse(self) -> None:
        """Raise where there are problems.

        Raises:
            CorpusError: Names all problems: the first of each kind, and the lines of the others.
        """
        if not self._found:
            return
        sentences = [_of_kind(places) for places in list(self._found.values())[:LISTED_KINDS]]
        if more := len(self._found) - LISTED_KINDS:
            sentences += [f"and {more} more kinds of problems"] if more > 0 else []
        if len(self) == 1:
            ((line, sentence),) = next(iter(self._found.values()))
            where = f", line {line}" if line else ""
            raise CorpusError(f"{self.file}{where}: {sentence}")
        raise CorpusError(f"{self.file} has {len(self)} problems: {'; '.join(sentences)}")


def _of_kind(places: list[tuple[int, str]]) -> str:
    """The first problem of a kind, after its line and those of the others."""
    (line, sentence), *others = places
    if not line:
        return sentence
    lines = ", ".join(str(number) for number, _ in others[:LISTED_LINES])
    more = ", …" if len(others) > LISTED_LINES else ""
    return f"line {line}{f' (and {len(others)} more: {lines}{more})' if others else ''}: {sentence}"
