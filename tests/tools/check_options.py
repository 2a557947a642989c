"""Check each command's options against the program's own help and manual page, where it is here.

`python -m tests.tools.check_options` prints what it could not find: options that no help text
names, and programs that are not installed. `tests/tools/install_programs` installs those that
Debian has. Not part of the tests: it needs the programs, and help texts differ by version.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections import defaultdict
from functools import cache

from analysis import knowledge
from analysis.quoting import placeholders

_DOCUMENT = re.compile(r"<<'(\w+)'.*?^\1", re.DOTALL | re.MULTILINE)
_BREAKS = set("|;&()<>")
_WRAPPERS = {"sudo", "command", "xargs", "then", "do", "else", "if", "while", "!", "time"}
_SUBCOMMANDS = {
    "kubectl",
    "docker",
    "crictl",
    "nerdctl",
    "podman",
    "aws",
    "gcloud",
    "gh",
    "git",
    "ctr",
    "ip",
    "systemctl",
}


def simple_commands(shell: str) -> list[list[str]]:
    """Return the words of each simple command in a script."""
    text = _DOCUMENT.sub("", shell)
    for name in placeholders(text):
        text = text.replace(f"{{{name}}}", "value")
    found: list[list[str]] = [[]]
    for line in text.replace("\\\n", " ").splitlines():
        try:
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            words = list(lexer)
        except ValueError:  # a quote that ends on another line
            words = line.split()
        for word in words:
            if word and set(word) <= _BREAKS:
                found.append([])
            else:
                found[-1].append(word)
        found.append([])
    return [stripped for words in found if (stripped := _strip(words))]


def _strip(words: list[str]) -> list[str]:
    while words and (words[0] in _WRAPPERS or re.fullmatch(r"\w+=.*", words[0])):
        words = words[1:]
    return words


@cache
def help_text(program: str, path: tuple[str, ...] = ()) -> str:
    """Return what a program says of itself."""
    if not shutil.which(program):
        return ""
    texts = []
    for command in (
        [program, *path, "--help"],
        [program, "help", *path],
        ["man", "-P", "cat", program],
    ):
        if program == "kill" and command[0] != "man":
            continue
        try:
            done = subprocess.run(command, capture_output=True, check=False, timeout=60, env=None)
        except (OSError, subprocess.TimeoutExpired):
            continue
        texts.append(
            done.stdout.decode("utf-8", "replace") + done.stderr.decode("utf-8", "replace")
        )
    if program == "kubectl":
        texts.append(help_text_of(["kubectl", "options"]))
    return re.sub(r".\x08", "", "\n".join(texts))


def help_text_of(command: list[str]) -> str:
    """Return what a command prints."""
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    return done.stdout.decode("utf-8", "replace")


def missing(words: list[str]) -> tuple[str, list[str], int]:
    """Return the command's name, its options that no help names, and how many were looked up."""
    program, rest = words[0], words[1:]
    if words[:2] == ["docker", "top"]:  # what follows the container is ps's
        program, rest = "ps", words[3:]
    path: list[str] = []
    if program in _SUBCOMMANDS:
        plain = [w for w in rest if re.fullmatch(r"[a-z][a-z0-9-]*", w) and w != "value"]
        path = plain[: 4 if program == "gcloud" else 2]
    text = "\n".join(help_text(program, tuple(path[:n])) for n in range(len(path) + 1))
    before = rest[: rest.index("--")] if "--" in rest else rest
    options = [w.split("=", 1)[0] for w in before]
    options = [o for o in options if re.fullmatch(r"--?[A-Za-z][\w-]*", o)]
    names = [
        name
        for option in options
        # -rf is -r and -f; find's -name is one option
        for name in ([option] if option.startswith("--") or option in text else _letters(option))
    ]
    lacking = [n for n in names if not re.search(rf"(?<![\w-]){re.escape(n)}(?![\w-])", text)]
    return " ".join([program, *path]), lacking, len(names)


def _letters(option: str) -> list[str]:
    return [f"-{letter}" for letter in option[1:]]


def main() -> int:
    """Print what no help names; exit with 1 if there is any."""
    absent: dict[str, int] = defaultdict(int)
    unknown: dict[tuple[str, str], str] = {}
    checked = 0
    shells = {c.shell for book in knowledge.load_playbooks().values() for c in book.command}
    for shell in sorted(shells):
        for words in simple_commands(shell):
            if words[0] not in knowledge.tools():
                continue
            if not shutil.which(words[0]):
                absent[words[0]] += 1
                continue
            name, lacking, count = missing(words)
            checked += count
            unknown |= {(name, option): shell for option in lacking}
    for (program, option), shell in sorted(unknown.items()):
        print(f"{program}: {option} is not in its help: {shell.splitlines()[0][:100]}")
    for program, count in sorted(absent.items()):
        print(
            f"{program} is not installed ({knowledge.tools()[program]}): {count} uses not checked"
        )
    print(f"{checked} options checked, {len(unknown)} not found")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
