"""Derived facts: terminal, container age, failed execution, age of the program file."""

from __future__ import annotations

import pandas as pd
import pytest

import analysis as fa
from analysis.features import DERIVED, terminal_name

from .conftest import lines, story


def derived(alert: dict) -> pd.Series:
    """Return the derived columns of one alert."""
    return fa.derive(fa.read_alerts(lines(alert))[0]).iloc[0][list(DERIVED)]


@pytest.mark.parametrize(
    ("device", "name"),
    [
        (0, "none"),
        (34816, "/dev/pts/0"),
        (34818, "/dev/pts/2"),
        (0x8901, "/dev/pts/257"),
        (1025, "/dev/tty1"),
        (1088, "/dev/ttyS0"),
        (1281, "/dev/console"),
        (0x1203, "device 18:3"),
    ],
)
def test_terminal_names(device, name):
    """The kernel's packed device number is a terminal, never a count."""
    assert terminal_name(device) == name


def test_container_age(memfd):
    """How long the container's first process had run, to the nanosecond's tenth of a second."""
    assert derived(memfd)["container_age_s"] == pytest.approx(14.612803417)
    assert pd.isna(derived(memfd)["host_uptime_s"])


def test_start_of_a_host_is_its_boot(memfd):
    """In a host alert container.start_ts tells when the machine booted."""
    row = derived(story(memfd, **{"container.id": "host"}))

    assert pd.isna(row["container_age_s"])
    assert row["host_uptime_s"] == pytest.approx(14.612803417)


@pytest.mark.parametrize(
    ("result", "event", "failed"),
    [
        ("SUCCESS", "execve", False),
        ("ENOENT", "execve", True),
        ("EACCES", "execveat", True),
        (None, "execve", None),
        ("ENOENT", "openat", None),
    ],
)
def test_failed_execution(memfd, result, event, failed):
    """Only an exec event with a result tells; anything else is unknown."""
    row = derived(story(memfd, **{"evt.res": result, "evt.type": event}))

    assert (None if pd.isna(row["exec_failed"]) else row["exec_failed"]) == failed


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("memfd:program", "program"),
        ("/memfd:program (deleted)", "program"),
        ("memfd:", ""),
        ("memfd:runc_cloned:/proc/self/exe", "runc_cloned:/proc/self/exe"),
        ("/usr/bin/memfd:x", None),
        ("/usr/bin/cat", None),
        (None, None),
    ],
)
def test_memfd_name(memfd, path, name):
    """Both drivers' spellings name the memfd; a path that only contains the word does not."""
    value = derived(story(memfd, **{"proc.exepath": path}))["memfd_name"]

    assert (None if pd.isna(value) else value) == name


def test_wrapped_duration_is_negative(memfd):
    """A file changed 5 s after its process was cloned: 2^64 - 5e9 unsigned, -5 s in truth."""
    row = derived(story(memfd, **{"proc.exe_ino.ctime_duration_proc_start": 2**64 - 5_000_000_000}))

    assert row["exe_age_at_start_s"] == -5.0


def test_nonsense_is_unknown(memfd):
    """Values of another kind than Falco's make no facts."""
    odd = story(
        memfd,
        **{
            "proc.tty": "pts/0",
            "container.start_ts": True,
            "container.id": ["a"],
            "evt.res": ["SUCCESS"],
            "proc.exepath": {"a": 1},
            "evt.arg.flags": {"EXE_WRITABLE": True},
        },
    )
    row = derived(odd)

    assert row.isna().all(), row
