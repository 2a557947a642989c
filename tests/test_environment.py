"""Set-up: environment.yml says what pyproject.toml says, and the lock is whole and address-free."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest
import rattler
import yaml
from packaging.requirements import Requirement

from .conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()
CONDA_NAMES = {"duckdb": "python-duckdb"}  # conda-forge calls the library so; duckdb is the command
CONDA = [one for one in ENVIRONMENT["dependencies"] if isinstance(one, str)]


def test_environment_serves_conda_forge_alone():
    """One channel, so that no two builds of a library meet."""
    assert ENVIRONMENT["channels"] == ["conda-forge"]
    assert ENVIRONMENT["dependencies"][-1] == {"pip": ["-e ."]}


@pytest.mark.parametrize("spec", CONDA)
def test_specs_parse(spec):
    """Each is a MatchSpec that conda and mamba read."""
    assert rattler.MatchSpec(spec, strict=True).name is not None


def test_environment_says_what_pyproject_says():
    """The same names with the same bounds: what runs, and what tests notebooks."""
    wanted = [
        Requirement(r)
        for r in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"])
    ]
    bounds = {CONDA_NAMES.get(r.name, r.name): str(r.specifier) for r in wanted}
    bounds |= {"python": PROJECT["requires-python"], "pip": ""}

    assert {
        re.split(r"[ <>=]", spec)[0]: spec.split(" ", 1)[1] if " " in spec else "" for spec in CONDA
    } == bounds


def test_card_packages_are_all_there():
    """The design card's six."""
    names = {re.split(r"[ <>=]", spec)[0] for spec in CONDA}

    assert {"pandas", "jupyterlab", "matplotlib", "ipywidgets", "papermill", "nbval"} <= names


def test_lock_pins_every_byte():
    """Each requirement has an exact version and hashes."""
    entries = re.split(r"\n(?=\S)", LOCK.strip())

    assert len(entries) > 50
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==[^ ]+( ;.*)? \\\n", entry), entry[:80]
        assert "--hash=sha256:" in entry


def test_lock_satisfies_pyproject():
    """Whoever changes a bound runs `make lock`."""
    pins = dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", LOCK, re.MULTILINE))
    extras = [r for group in PROJECT["optional-dependencies"].values() for r in group]

    for requirement in map(Requirement, (*PROJECT["dependencies"], *extras)):
        assert requirement.specifier.contains(pins[requirement.name]), requirement


def test_no_file_names_a_registry():
    """Pins live without addresses: whoever installs chooses the registry."""
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True
    )
    names = [n for n in tracked.stdout.split("\0") if n and (ROOT / n).is_file()]
    registries = re.compile(
        r"pypi\.org|pythonhosted|registry\.npmjs|conda\.anaconda|deb\.debian", re.IGNORECASE
    )
    this = "tests/test_environment.py"

    assert not [
        n
        for n in names
        if n != this and registries.search((ROOT / n).read_text("utf-8", "replace"))
    ]
    assert not [n for n in names if n.endswith(("uv.lock", "package-lock.json"))]
