"""What a report was made of and what came of it: `manifest.json`, and whether anything changed since.

In: the files of a report, or a folder of reports. Out: a manifest; problems. A report is whole if
its manifest is there and every file is as the manifest says. The time of the run stands here and
in no other file: the same input gives the same files.
"""

from __future__ import annotations

import hashlib
import json
import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from analysis.report.shelf import Shelf

MANIFEST = "manifest.json"
WRITEUP = "writeup.ipynb"
"""An analyst's copy of a report's notebook."""

ANALYSTS = frozenset(
    {".ipynb_checkpoints", WRITEUP, "writeup.html", "writeup.md", "writeup.pdf", "writeup_files"}
    | {"report.md", "report.pdf", "report_files"}
)
"""What an analyst may keep in a report's folder: the write-up, exports, what JupyterLab leaves.

They stay when the report is made again, and no manifest vouches for them."""

_TOOLS = ("falco-casebook", "pandas", "matplotlib", "papermill", "nbformat")


@dataclass(frozen=True, slots=True)
class Change:
    """A file that is not as its manifest says."""

    path: str
    problem: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.path}: {self.problem}"


def digest(content: bytes) -> str:
    """Return the SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def key(inputs: Mapping[str, str], notebook: str, parameters: Mapping[str, str]) -> str:
    """Return the digest of all that decides a report: evidence, notebook, parameters, version.

    Parameters
    ----------
    inputs : mapping
        File name to SHA-256.
    notebook : str
        SHA-256 of the notebook that is run.
    parameters : mapping
        What the notebook is run with.
    """
    made_of = [dict(inputs), notebook, dict(parameters), version("falco-casebook")]
    return digest(json.dumps(made_of, sort_keys=True).encode())


def manifest(
    files: Mapping[str, bytes], state: str, made_of: Mapping[str, Any], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the manifest of files.

    Parameters
    ----------
    files : mapping
        File name to content.
    state : str
        `completed` or `failed`.
    made_of : mapping
        Key, inputs, parameters and times, as the maker knows them.
    facts : mapping
        What an index shows of it.
    """
    return {
        "state": state,
        **made_of,
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in _TOOLS},
        "outputs": {
            name: {"sha256": digest(content), "bytes": len(content)}
            for name, content in sorted(files.items())
        },
        "facts": dict(facts),
    }


def as_text(made: Mapping[str, Any]) -> bytes:
    """Return a manifest as the bytes of its file."""
    # beyond ASCII escaped: what a terminal obeys or an eye misses does not reach either
    return (json.dumps(made, indent=1) + "\n").encode()


def read(shelf: Shelf, folder: str = "") -> dict[str, Any] | None:
    """Return the manifest of a folder on a shelf, or None where there is none that can be read."""
    content = shelf.read(_within(folder, MANIFEST))
    try:
        made = json.loads(content) if content is not None else None
    except ValueError:
        return None
    return made if isinstance(made, dict) and isinstance(made.get("outputs"), dict) else None


def is_whole(shelf: Shelf, folder: str, made: Mapping[str, Any]) -> bool:
    """Return whether every file of a report is as its manifest says."""
    return not list(_changes(shelf, folder, made))


def verify(shelf: Shelf) -> tuple[int, list[Change]]:
    """Return how many files were looked at, and what changed since the reports were made.

    Every file is held against its report's manifest, every report's manifest against that of the
    folder. Who changes a file and every manifest above it is found by nobody but who kept the
    digest of the folder's manifest elsewhere. What an analyst added is no change, see `added`.
    """
    whole = read(shelf)
    if whole is None:
        return 0, [Change(MANIFEST, "there is none, or it cannot be read")]
    changes = list(_changes(shelf, "", whole))
    looked_at = len(whole["outputs"])
    known = {name.partition("/")[0] for name in whole["outputs"] if "/" in name}
    for folder in sorted(known):
        made = read(shelf, folder)
        if made is None:
            changes.append(Change(f"{folder}/{MANIFEST}", "there is none, or it cannot be read"))
            continue
        looked_at += len(made["outputs"])
        changes += _changes(shelf, folder, made)
        listed = {*made["outputs"], MANIFEST, *ANALYSTS}
        added = sorted(set(shelf.names(folder)) - listed)
        changes += [Change(f"{folder}/{name}", "is in no manifest") for name in added]
    for name in sorted(set(shelf.names("")) - {MANIFEST, *whole["outputs"]} - known):
        changes.append(Change(name, "is in no manifest"))
    return looked_at, list(dict.fromkeys(changes))


def added(shelf: Shelf) -> list[str]:
    """Return what analysts keep in the reports' folders, which `verify` holds against nothing."""
    known = {name.partition("/")[0] for name in (read(shelf) or {"outputs": {}})["outputs"]}
    return [
        f"{folder}/{name}"
        for folder in sorted(known & set(shelf.names("")))
        for name in shelf.names(folder)
        if name in ANALYSTS
    ]


def _changes(shelf: Shelf, folder: str, made: Mapping[str, Any]) -> Iterator[Change]:
    for name, was in made["outputs"].items():
        path = _within(folder, name)
        content = shelf.read(path)
        if content is None:
            yield Change(path, "is missing")
        elif digest(content) != was["sha256"]:
            yield Change(path, "was changed")


def _within(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
