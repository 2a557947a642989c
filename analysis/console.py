"""What commands share: reading the alerts of a call, saying a line, stopping with a reason.

Exit code 2 of `stop`: the input or the call is unusable.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

import click

from analysis.errors import KitError
from analysis.quoting import visible

if TYPE_CHECKING:
    import pandas as pd

SOURCES = click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
VERDICTS = click.option(
    "--verdicts", help="File that keeps analysts' marks; else the one beside each SOURCE."
)


def read(
    sources: tuple[str, ...], rules: tuple[str, ...] = ()
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the alerts, by own rules too; list what is none, and stop where there is no alert."""
    from analysis.intake import read_alerts  # noqa: PLC0415 - help must not wait for pandas
    from analysis.intake.rejects import count  # noqa: PLC0415
    from analysis.knowledge.rules import read_rules  # noqa: PLC0415

    try:
        own, problems = read_rules(list(rules))
        for problem in problems:
            say(str(problem))
        alerts, rejects = read_alerts(list(sources), rules=own.rules)
    except KitError as error:
        stop(str(error))
    if not rejects.empty:
        say(f"{count(rejects)} of {len(alerts) + count(rejects)} records are no alerts:")
        for row in rejects.head(10).to_dict("records"):
            say(f"  {row['origin_file']}:{row['origin_line']}: {row['reason']}")
    if alerts.empty:
        stop("no alert could be read")
    return alerts, rejects


def marks(sources: tuple[str, ...], verdicts: str | None) -> pd.DataFrame:
    """Read analysts' marks, see `marks_file.of_sources`; stop where a file holds none."""
    from analysis.marks_file import of_sources  # noqa: PLC0415 - help must not wait for pandas

    try:
        return of_sources(sources, verdicts)
    except KitError as error:
        stop(f"{error}; --verdicts names another file")


def say(line: str) -> None:
    """Say a line on standard error."""
    click.echo(visible(line), err=True)


def stop(line: str) -> NoReturn:
    """Say what is wrong and end the command."""
    say(f"falco-casebook: {line}")
    sys.exit(2)
