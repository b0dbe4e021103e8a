"""`Origin`: the reader of a corpus, or of a corpus of a union with the classes that its emotions count as."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .mapping import LabelMapping

__all__ = ["Origin"]


@dataclass(frozen=True, slots=True)
class Origin:
    """The reader that utterances are from, and what a union made of their emotions."""

    source: str
    """Name of the reader, of `ser-tune corpus list`."""
    label: str = ""
    """Label in a union; empty of a corpus by itself."""
    mapping: LabelMapping | None = None
    """Emotions to classes of the union; None of a corpus by itself."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Emotion to number of utterances, before it was mapped; empty of a corpus by itself."""

    @property
    def table(self) -> Iterator[str]:
        """The mapping as text, such as `emodb:anger=anger`; `emodb:boredom=` is left out."""
        if self.mapping is not None:
            yield from (f"{self.label}:{name}={self.mapping.targets.get(name, '')}" for name in sorted(self.counts))

    @property
    def changes(self) -> tuple[str, ...]:
        """Phrases on emotions that count as another or are left out, and on classes of the union that are not there."""
        if self.mapping is None:
            return ()
        renamed = [f"{name} as {target}" for name, target in sorted(self.mapping.targets.items()) if name != target]
        left_out = [f"{name} ({self.counts[name]})" for name in self.mapping.left_out]
        phrases = {"counted": renamed, "left out": left_out, "lacks": self.mapping.unused}
        return tuple(f"{verb} {', '.join(names)}" for verb, names in phrases.items() if names)

    @property
    def sentence(self) -> str:
        """The mapping in words; empty of a corpus by itself."""
        if self.mapping is None:
            return ""
        kept = sum(self.counts[name] for name in self.mapping.targets)
        head = f"{self.label}: {kept} of {sum(self.counts.values())} utterances, {', '.join(self.mapping.shared)}"
        return "; ".join([head, *self.changes])
