"""Freed memory is kept where the C library can be told to."""

import ctypes
import sys
from types import SimpleNamespace

import pytest

from ser_tune.allocation import keep_freed_memory


@pytest.mark.parametrize(("platform", "called"), [("linux", [(-4, 0), (-1, -1)]), ("darwin", [])])
def test_glibc_is_told_to_keep_what_is_freed(
    platform: str, called: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, int]] = []
    library = SimpleNamespace(mallopt=lambda *both: calls.append(both))
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    monkeypatch.setattr(sys, "platform", platform)
    keep_freed_memory()
    assert calls == called


def test_a_c_library_without_the_switch_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    monkeypatch.setattr(sys, "platform", "linux")
    keep_freed_memory()
