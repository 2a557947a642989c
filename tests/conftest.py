"""What tests share: story alerts, the sample's reports made once, and where the outside lies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import settings

import analysis as fa
from analysis.cli import main

# a busy machine breaks no law
settings.register_profile("casebook", deadline=None)
settings.load_profile("casebook")

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "data" / "alerts"
SHARED = ROOT.parent / "shared"


def sample(name: str) -> dict:
    """Return the first alert of a sample file."""
    return json.loads((SAMPLES / name).read_text().splitlines()[0])


def story(base: dict, **changes: object) -> dict:
    """Return `base` with output fields changed; a field given as `...` is taken out."""
    fields = base["output_fields"] | changes
    return base | {"output_fields": {name: v for name, v in fields.items() if v is not ...}}


def lines(*alerts: dict) -> bytes:
    """Return alerts as JSON lines."""
    return b"".join(json.dumps(alert).encode() + b"\n" for alert in alerts)


def case_of(alert: dict) -> fa.Case:
    """Return the case that one alert makes."""
    alerts, rejects = fa.read_alerts(lines(alert))
    assert rejects.empty, rejects
    return fa.investigate(alerts)


@pytest.fixture(scope="session")
def memfd() -> dict:
    """The sample: event-generator's memfd action, in a Docker container."""
    return sample("fileless_execution.jsonl")


@pytest.fixture(scope="session")
def shell() -> dict:
    """A terminal shell in a Kubernetes container."""
    return sample("terminal_shell_in_container.jsonl")


@pytest.fixture(scope="session")
def shadow() -> dict:
    """/etc/shadow read on a host, from a login session."""
    return sample("read_sensitive_file_untrusted.jsonl")


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports of all samples, made once by the command that a user runs."""
    out = tmp_path_factory.mktemp("reports")
    result = CliRunner().invoke(main, ["report", str(SAMPLES), "--out", str(out)])
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="session")
def folders(reports: Path) -> dict[str, Path]:
    """The folder of each sample's report, by rule."""
    found = {}
    for file in reports.glob("inc-*/report.json"):
        found[json.loads(file.read_text())["rules"][0]] = file.parent
    return found


@pytest.fixture
def shared() -> Path:
    """Reference texts and real alerts beside the checkout; tests that want them skip without."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not here: this test checks against material outside the project")
    return SHARED
