"""Exe flags: what a value means depends on the event; unknown is not False."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.flags import EXE_FLAGS, decode_exe_flags, parse_exe_flags

COLUMNS = [flag.column for flag in EXE_FLAGS]


def decoded(**fields: object) -> list[object]:
    """Return the four flags of one alert: True, False, or None for unknown."""
    frame = decode_exe_flags(pd.DataFrame([fields]))
    return [None if pd.isna(value) else bool(value) for value in frame.iloc[0][COLUMNS]]


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("EXE_WRITABLE|EXE_FROM_MEMFD", 5),
        ("EXE_WRITABLE|EXE_LOWER_LAYER", 9),
        ("EXE_UPPER_LAYER", 2),
        ("0", 0),
        ("9(EXE_WRITABLE|EXE_LOWER_LAYER)", 9),
        ("O_RDONLY|O_CLOEXEC|FD_UPPER_LAYER", None),
        ("EXE_WRITABLE|EXE_SOMETHING_NEW", None),
        ("16", None),
        ("CLONE_FILES", None),
        ("", None),
    ],
)
def test_forms(text, bits):
    """Names joined by |, the number with names, the bare number; anything else is none."""
    assert parse_exe_flags(text) == bits


@given(st.integers(0, 15))
def test_names_and_numbers_agree(bits):
    """Falco's two spellings of a set of flags mean the same."""
    names = "|".join(flag.name for flag in EXE_FLAGS if bits & flag.bit) or "0"

    assert parse_exe_flags(names) == parse_exe_flags(f"{bits}({names})") == bits


def test_exec_event():
    """The sample's flags: writable by its user, image in a memfd, in no layer."""
    flags = {"evt.type": "execve", "evt.arg.flags": "EXE_WRITABLE|EXE_FROM_MEMFD"}

    assert decoded(**flags) == [True, False, True, False]


def test_open_event_has_no_exe_flags():
    """The same field holds open flags on an open event, even if it looks alike."""
    assert decoded(**{"evt.type": "openat", "evt.arg.flags": "O_RDONLY"}) == [None] * 4
    assert decoded(**{"evt.type": "openat", "evt.arg.flags": "0"}) == [None] * 4


def test_event_type_not_printed():
    """Names of exe flags speak for themselves; a bare 0 does not."""
    assert decoded(**{"evt.arg.flags": "EXE_WRITABLE"}) == [True, False, False, False]
    assert decoded(**{"evt.arg.flags": "0"}) == [None] * 4


def test_booleans_answer_for_any_event():
    """proc.is_exe_* hold for the process whatever the event; the others stay unknown."""
    alert = {"evt.type": "openat", "proc.is_exe_from_memfd": True, "proc.is_exe_writable": "false"}

    assert decoded(**alert) == [False, None, True, None]


def test_nothing_known():
    """An alert without any of the fields gives four unknowns."""
    assert decoded(**{"proc.name": "cat"}) == [None] * 4


def test_input_is_untouched():
    """A new frame comes out."""
    frame = pd.DataFrame([{"evt.type": "execve", "evt.arg.flags": "0"}])
    decode_exe_flags(frame)

    assert list(frame.columns) == ["evt.type", "evt.arg.flags"]
