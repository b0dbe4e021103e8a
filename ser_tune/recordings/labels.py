"""Files of labels over time that other programs read."""

from pathlib import Path

from .timeline import Timeline

__all__ = ["audacity_labels", "rttm"]


def rttm(timeline: Timeline) -> str:
    """Rich Transcription Time Marked: a line of type SPEAKER for each passage, with its label as the speaker's name.

    Fields: type, file, channel, start, duration, two that are not used, name, probability (of `uncertain` the
    highest), one that is not used (NIST 2009, The 2009 RT Evaluation Plan, appendix A).
    """
    name = "_".join(Path(timeline.source).stem.split())
    return "".join(
        f"SPEAKER {name} 1 {one.start_s:.3f} {one.end_s - one.start_s:.3f} <NA> <NA> {'_'.join(one.label.split())} "
        f"{one.probabilities.get(one.label, max(one.probabilities.values())):.3f} <NA>\n"
        for one in timeline.passages
    )


def audacity_labels(timeline: Timeline) -> str:
    """A label track of Audacity: start, end and label of each passage, separated by tabs."""
    return "".join(f"{one.start_s:.6f}\t{one.end_s:.6f}\t{one.label}\n" for one in timeline.passages)
