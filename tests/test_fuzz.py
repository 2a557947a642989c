"""What nobody would write: the laws of `tools/fuzz.py`, for its corpus and some hundred mutants."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .tools import fuzz

KEPT = sorted(fuzz.KEPT.iterdir())


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_what_is_kept(path, tmp_path):
    """Seeds of our own, and each input that once broke a law: all laws hold."""
    data = path.read_bytes()

    fuzz.check(data, tmp_path / "a", random.Random(0), frames=True, report=True)


@settings(
    derandomize=True,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.integers(0, 2**64 - 1))
def test_mutants_as_records(seed):
    """No exception, no byte lost, no line miscounted; also through the narrowest window."""
    source = random.Random(seed)
    data = fuzz.mutated(source)

    fuzz.check_records(data)
    fuzz.check_window(data, source)


def test_a_document_one_byte_longer_than_the_window():
    """Found by a long run: its last bracket is seen, and nothing behind it is looked at."""
    data = b'{"a":"' + b"x" * 57 + b'"}\n'

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fuzz.window, "LONGEST", len(data) - 2)
        assert [span.length for span in fuzz.iter_spans(data)] == [len(data) - 1]


def test_mutants_as_files(tmp_path):
    """Read fast and slowly they are the same, quoted as they stand, and reported."""
    for number in range(40):
        source = random.Random(f"ci-{number}")
        data = fuzz.mutated(source)
        data = fuzz._packed(data, source) if number % 10 == 9 else data  # noqa: SLF001

        fuzz.check(data, tmp_path / "a", source, frames=True, report=number % 10 == 0)


def test_the_laws_can_be_broken(tmp_path):
    """A kit that loses a record, or reads two ways, would be found out."""
    data = fuzz.ALERT + b"\n" + fuzz.ALERT + b"\n"
    records = fuzz.check_records(data)

    with pytest.raises(fuzz.BrokenLawError, match="2 rows of 1 records"):
        fuzz.check_frames(data, tmp_path / "a", records[:1])
    with pytest.MonkeyPatch.context() as patch:
        whole = fuzz.iter_spans
        patch.setattr(fuzz, "iter_spans", lambda data: list(whole(data))[:1])
        with pytest.raises(fuzz.BrokenLawError, match="bytes in no record"):
            fuzz.check_records(data)
