"""README is exact: its commands and its example run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

from analysis.cli import main

from .conftest import ROOT

README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def blocks(language: str) -> list[str]:
    """Return README's code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_example_runs():
    """The example in Python runs in a fresh interpreter, from the checkout."""
    (example,) = blocks("python")
    subprocess.run([sys.executable, "-c", example], cwd=ROOT, check=True)


def test_commands_are_the_command_s():
    """Each shell line is a target of the Makefile, or falco-casebook with options it has."""
    for line in "".join(blocks("sh")).splitlines():
        words = line.split("#")[0].split()
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", MAKEFILE, re.MULTILINE)
        else:
            program = Path(sys.executable).parent / "falco-casebook"
            assert words[0].endswith("falco-casebook")
            shown = subprocess.run(
                [program, words[1], "--help"], capture_output=True, check=True, text=True
            )
            assert {w for w in words if w.startswith("--")} <= set(
                re.findall(r"--[a-z-]+", shown.stdout)
            )


def test_links_lead_somewhere():
    """Each relative link is a file of the checkout."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).is_file(), target


def test_security_table_names_tests_that_are_there():
    """Each defence names the tests that hold it, and each is a file of tests."""
    section = README.split("## Security\n")[1].split("\n## ")[0]
    rows = [row for row in section.splitlines() if row.startswith("| ")][2:]

    assert len(rows) >= 9
    for row in rows:
        threat, defence, tests = (cell.strip() for cell in row.strip("|").split(" | "))
        assert threat
        assert defence
        named = re.findall(r"`(tests/\w+\.py)`", tests)
        assert named, row
        for name in named:
            assert re.search(r"^def test_", (ROOT / name).read_text(), re.MULTILINE), name


def test_nightly_examples_are_sound():
    """The CronJob has what its kind must have; each example calls the command with options it has."""
    folder = ROOT / ".github" / "nightly"
    job = yaml.safe_load((folder / "cronjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["restartPolicy"] in ("OnFailure", "Never")
    (container,) = pod["containers"]
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in pod["volumes"]}
    texts = [" ".join(container["args"])]
    for name in ("crontab", "falco-casebook.service"):
        texts += re.findall(r"falco-casebook (report .*)", (folder / name).read_text())
    assert len(texts) == 3
    for text in texts:
        options = {option.name for option in main.commands["report"].params}
        assert set(re.findall(r"--([a-z]+)", text)) <= options
