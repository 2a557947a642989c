"""Check each command's options against the program's own help and manual page, where it is here.

`python -m tests.tools.check_options` prints what it could not find: options that no help text
names, and programs that are not installed. `tests/tools/install_programs` installs those that
Debian has; the package tree-sitter-bash, which reads the shell, is needed for this only. What help
does not say, and programs that are not installed, `confirmed_options.toml` holds, each with where
it is written. Not part of the tests: it needs the programs, and help texts differ by version.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from analysis import knowledge
from analysis.quoting import placeholders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

CONFIRMED = Path(__file__).with_name("confirmed_options.toml")
# programs whose words name a command of theirs, and how that command is asked for its help
_HELP = {
    "aws": "{path} help",
    "bq": "help {path}",
    "bpftool": "{path} help",
    "crictl": "{path} --help",
    "docker": "{path} --help",
    "gcloud": "{path} --help",
    "gh": "{path} --help",
    "ip": "{path} help",
    "kubectl": "{path} --help",
    "nerdctl": "{path} --help",
    "npm": "{path} --help",
    "runc": "{path} --help",
    "systemctl": "--help",
}
# programs that run another: its words are a command of its own
_WRAPPERS = {"chroot", "find", "nsenter", "sudo", "xargs"}
_ENVIRONMENT = {
    "AWS_PAGER": "cat",
    "COLUMNS": "300",  # no option is broken at a line's end
    "GROFF_NO_SGR": "1",
    "LC_ALL": "C.UTF-8",
    "MANPAGER": "cat",
    "MANWIDTH": "300",
    "PAGER": "cat",
    "TERM": "dumb",
}


def simple_commands(shell: str) -> Iterator[list[str]]:
    """Yield the words of each simple command of a script; what stands in quotes is `""`.

    Commands in `$(...)`, in `<(...)`, and those that `sudo`, `xargs`, `find -exec`, `nsenter` and
    `kubectl exec` run, are commands of their own.
    """
    import tree_sitter_bash  # noqa: PLC0415 - needed for this tool only
    from tree_sitter import Language, Parser  # noqa: PLC0415

    for name in placeholders(shell):
        shell = shell.replace(f"{{{name}}}", "VALUE")
    tree = Parser(Language(tree_sitter_bash.language())).parse(shell.encode())
    waiting = [tree.root_node]
    while waiting:
        node = waiting.pop()
        waiting += reversed(node.children)
        if node.type in {"command", "declaration_command"}:
            words = [_plain(one) for one in node.named_children if _is_word(one)]
            yield from _split(words)


def _is_word(node: Node) -> bool:
    return node.type != "variable_assignment" and "redirect" not in node.type


def _plain(node: Node) -> str:
    """Return a word as far as it is written outside quotes, from its start."""
    if node.type in {"command_name", "concatenation"}:
        first = node.children[0]
        more = "" if len(node.children) == 1 else "="  # a value follows
        return _plain(first) + more
    if node.type in {"word", "number"}:
        return (node.text or b"").decode()
    return ""


def _split(words: list[str]) -> Iterator[list[str]]:
    """Yield a command, and the command that it runs, if it runs one."""
    program = words[0]
    spot = len(words)
    if program == "kubectl" and "--" in words:
        spot = words.index("--") + 1
    elif words[:2] == ["docker", "top"]:  # what follows the container is ps's
        yield ["ps", *words[3:]]
        spot = 3
    elif program == "find":
        runs = [n for n, word in enumerate(words) if word in {"-exec", "-execdir", "-ok"}]
        spot = runs[0] + 1 if runs else spot
    elif program in _WRAPPERS:
        tools = knowledge.tools()
        spot = next((n for n, word in enumerate(words[1:], 1) if word in tools), spot)
    if spot < len(words) and program != "docker":
        yield from _split(words[spot:])
    yield words[:spot]


@cache
def help_text(program: str, path: tuple[str, ...] = ()) -> str:
    """Return what a program says of itself, or of a command of its own."""
    joined = " ".join(path)
    commands = [[program, *_HELP.get(program, "--help").format(path=joined).split()]]
    if program == "kubectl":
        commands.append([program, "options"])
    if program == "bq":
        commands.append([program, "--help"])
    if program != "gcloud":
        commands.append(["man", "-P", "cat", "-".join([program, *path])])
    if program in {"kill", "sshd"}:  # these have no help
        commands = commands[-1:]
    texts = [printed(command) for command in commands]
    if program == "curl":
        texts.append(printed([program, "--help", "all"]))
    return "\n".join(texts)


def printed(command: list[str]) -> str:
    """Return what a command prints, without bold and underlined."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            timeout=120,
            stdin=subprocess.DEVNULL,
            env=os.environ | _ENVIRONMENT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    text = (done.stdout + b"\n" + done.stderr).decode("utf-8", "replace")
    text = re.sub(r".\x08|\x1b\[[0-9;]*m", "", text)
    return text.replace("--[no]", "--")  # as bq writes a switch


def command_path(program: str, words: list[str]) -> tuple[str, ...]:
    """Return the words that name a command of the program's own, as its help lists them."""
    path: list[str] = []
    if program in _HELP:
        for before, word in zip(["", *words], words, strict=False):
            if before.startswith("-") and "=" not in before:  # its value
                continue
            # in a line of its own, behind a bullet, or in a list of words
            listed = rf"(^\s*|^ +(\+?o|\*) |^ {{4}}([\w-]+, )*){re.escape(word)}(\s|[:,*]|$)"
            if re.fullmatch(r"[a-z][a-z0-9-]*", word) and re.search(
                listed, help_text(program, tuple(path)), re.MULTILINE
            ):
                path.append(word)
    return tuple(path)


def missing(words: list[str]) -> tuple[str, list[str], int]:
    """Return the command's name, its options that no help names, and how many were looked up."""
    program, rest = words[0], words[1:]
    rest = rest[: rest.index("--")] if "--" in rest else rest
    path = command_path(program, rest)
    texts = [help_text(program, path[:n]) for n in range(len(path) + 1)]
    # a command's own help, and for options of every command the program's
    text = "\n".join({texts[0], texts[-1]})
    options = [word.split("=", 1)[0] for word in rest]
    options = [one for one in options if re.fullmatch(r"--?[A-Za-z][\w-]*", one)]
    lacking = [one for one in options if not _named(program, one, text)]
    name = " ".join([program, *path])
    return name, [one for one in lacking if one not in confirmed(name)], len(options)


def _named(program: str, option: str, text: str) -> bool:
    if program == "find":  # -newermt is -newerXY
        option = re.sub(r"^-newer[aBcmt]{2}$", "-newerXY", option)
    if re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text):
        return True
    if option.startswith("--") or program == "find":
        return False
    letters = re.match(r"-([A-Za-z]+)", option)  # -rf is -r and -f, -f1 is -f with a value
    return letters is not None and all(
        re.search(rf"(?<![\w-])-{letter}(?![\w-])", text) for letter in letters[1]
    )


@cache
def _confirmed() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(CONFIRMED.read_text("utf-8"))


def confirmed(name: str) -> list[str]:
    """Return the options of a command that were looked up elsewhere."""
    return _confirmed().get(name, {}).get("options", [])


def main() -> int:
    """Print what no help names; exit with 1 if there is any."""
    absent: set[str] = set()
    unknown: dict[tuple[str, str], str] = {}
    checked = 0
    tools = knowledge.tools()
    shells = {c.shell for book in knowledge.load_playbooks().values() for c in book.command}
    for shell in sorted(shells):
        for words in simple_commands(shell):
            if words[0] not in tools:
                continue
            name, lacking, count = missing(words)
            checked += count
            unknown |= {(name, option): shell for option in lacking}
            if lacking and not shutil.which(words[0]):
                absent.add(words[0])
    for (program, option), shell in sorted(unknown.items()):
        print(f"{program}: {option} is not in its help: {shell.splitlines()[0][:100]}")
    for program in sorted(absent):
        print(f"{program} is not installed ({tools[program]})")
    print(f"{checked} options checked, {len(unknown)} not found")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
