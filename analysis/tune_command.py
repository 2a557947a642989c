"""`falco-casebook tune`: the call of `tuning`, from the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from analysis.console import SOURCES, read, say, stop
from analysis.errors import KitError


@click.command()
@click.argument("rule")
@SOURCES
@click.option("--alert", "chosen", multiple=True, help="Id of an alert to silence; repeatable.")
@click.option("--keep", multiple=True, help="Id of an alert never to silence; repeatable.")
@click.option("--field", "fields", multiple=True, help="Field to use, else all; repeatable.")
@click.option("--rules", multiple=True, help="Your rules files, in Falco's order; repeatable.")
@click.option(
    "--form",
    type=click.Choice(["exceptions", "condition"]),
    default="exceptions",
    show_default=True,
    help="Append an exception, or to the condition (to its user_known_* macro).",
)
@click.option("--json", "as_json", is_flag=True, help="Print all of it as one JSON object.")
@click.option("--out", type=click.Path(path_type=Path), help="File for the YAML; else printed.")
def tune(  # noqa: PLR0917 - click names them
    rule: str,
    sources: tuple[str, ...],
    chosen: tuple[str, ...],
    rules: tuple[str, ...],
    as_json: bool,
    out: Path | None,
    **options: Any,
) -> None:
    """Propose the narrowest Falco exception for alerts of RULE in SOURCE, and what it would hide.

    Without --alert, the most frequent alerts that are alike. Exit code 1: nothing is narrow enough.
    """
    from analysis.knowledge.rules import read_rules  # noqa: PLC0415 - help must not wait for it
    from analysis.tuned import document, lines  # noqa: PLC0415
    from analysis.tuning import propose  # noqa: PLC0415

    alerts, _ = read(sources)
    try:
        known, problems = read_rules(rules)
        for problem in problems:
            say(str(problem))
        made = propose(
            alerts, rule, chosen=chosen or None, rules=known if rules else None, **options
        )
        if out and made.yaml:
            out.write_text(made.yaml, encoding="utf-8")
    except KitError as error:
        stop(str(error))
    except OSError as error:
        stop(f"cannot write to {out}: {error.strerror or error}")
    if as_json:
        click.echo(json.dumps(document(made), indent=1))
        sys.exit(0 if made.yaml else 1)
    for line in lines(made):
        say(line)
    if made.yaml and not out:
        click.echo(made.yaml, nl=False)
    sys.exit(0 if made.yaml else 1)
