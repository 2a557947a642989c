"""Measure how well fields come back from rendered text: over ../shared/alerts, and made ones.

Run from the checkout: `python -m tests.tools.measure_recovery`. Clock fields are left out, and
fields that are no Falco fields (custom ones, counters).
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.intake.kinds import INTEGERS, NA, formats, kind_of
from analysis.intake.output_text import recover

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARED = Path(__file__).resolve().parents[3] / "shared"
TAIL = [
    ("container_id", "container.id"),
    ("container_name", "container.name"),
    ("container_image_repository", "container.image.repository"),
    ("container_image_tag", "container.image.tag"),
    ("k8s_pod_name", "k8s.pod.name"),
    ("k8s_ns_name", "k8s.ns.name"),
]
COMMANDS = (
    "cat /etc/shadow",
    "sh -c ip link del calico_tmp_A || true",
    "find /tmp -maxdepth 1 -iname .aws/credentials",
    "mount -t tmpfs -o size=12591759360,noswap tmpfs /var/lib/kubelet/x",
    'bash -c IFS= read -r x; echo "$x" (done)',
    "curl -d user=root&pw=x http://10.0.0.1/?a=b",
    "dockerd -H fd:// --ip-masq=false --log-opt=max-size=10m",
    "python3 -c import os; print(os.environ)",
    "16 --deserialize 215 --log-level info",
    "env FOO=bar user=nobody command -v sh",
    "systemd-userwor                 ",
)


def rendered(value: object) -> str:
    """Return a value as Falco renders it."""
    if value is None:
        return NA
    if isinstance(value, list):
        return f"({','.join(value)})"
    return str(value).lower() if isinstance(value, bool) else str(value)


def render(rule: str, values: dict[str, object], style: str) -> str:
    """Return the output of a rule in one style (`(` or `|`), as upstream's formats have it."""
    known = formats()[rule]
    pairs = list(known.pairs) + (TAIL if known.source == "syscall" else [])
    comma = style == "(" and (known.source == "okta" or rule in _COMMA_RULES)
    parts = [f"{la.replace('_', ' ') if comma else la}={rendered(values[f])}" for la, f in pairs]
    text = (", " if comma else " ").join(parts)
    if known.source == "gcp_auditlog":
        return text.replace(" user=", " A GCP thing has been done by user=", 1)
    return f"Words of the rule ({text})" if style == "(" else f"Words of the rule | {text}"


_COMMA_RULES = {
    rule
    for rule, known in formats().items()
    if known.source == "aws_cloudtrail" and rule != "All Cloudtrail Events"
}


def alerts() -> Iterator[dict]:
    """Yield each alert below ../shared/alerts that holds both text and fields, as JSON lines do."""
    decoder = json.JSONDecoder()
    for path in sorted((SHARED / "alerts").iterdir()):
        text = path.read_text("utf-8-sig", "replace")
        spot = text.find("{")
        while spot >= 0:
            try:
                one, end = decoder.raw_decode(text, spot)
            except ValueError:
                end = spot + 1
            else:
                if isinstance(one, dict) and one.get("output_fields") and one.get("output"):
                    yield one | {"file": path.name}
                elif isinstance(one, dict):  # a wrapper: look inside
                    end = spot + 1
            spot = text.find("{", end)


def judge(alert: dict) -> Iterator[tuple[str, str, object]]:
    """Yield (verdict, field, recovered value) for each field of an alert."""
    found = recover(alert["output"], alert.get("rule"), alert.get("source"))
    for name, value in alert["output_fields"].items():
        if not kind_of(name) or name.startswith(("evt.time", "jevt.time")):
            continue
        if name in found.fields:
            got = found.fields[name]
            alike = got == value or rendered(got) == rendered(value)
            yield ("exact" if alike else "wrong"), name, got
        else:
            yield ("ambiguous" if found.ambiguous else "not in text"), name, None
    for name in found.fields.keys() - alert["output_fields"].keys():
        yield "beyond", name, found.fields[name]


def realistic(name: str, rng: random.Random) -> object:
    """Return a value such as sensors write."""
    if rng.random() < 0.1:
        return None
    if kind_of(name) in INTEGERS:
        return rng.choice((0, -1, 34816, 1000, 1757000000123456789))
    if kind_of(name) == "list":
        return rng.sample(["nginx", "docker.io/library/redis", "a,b"], rng.randint(1, 2))
    if any(word in name for word in ("cmdline", "args", "env", "request", "userAgent")):
        return rng.choice(COMMANDS)
    return rng.choice(("root", "bash", "/etc/shadow", "container-name", "nginx", "kube-system", ""))


def main() -> None:
    """Print both rates."""
    verdicts: Counter[str] = Counter()
    for alert in alerts():
        for verdict, name, got in judge(alert):
            verdicts[verdict] += 1
            if verdict == "wrong" or (verdict == sys.argv[-1]):
                sys.stdout.write(
                    f"{verdict} {alert['rule']!r} {name}: {got!r} is not"
                    f" {alert['output_fields'].get(name)!r}\n   {alert['file']} {alert['output'][:300]}\n"
                )
    sys.stdout.write(f"real: {dict(verdicts)}\n")
    rng, verdicts = random.Random(7), Counter()
    for rule, known in formats().items():
        for style in "(|" * 10:
            names = {n for _, n in known.pairs} | {n for _, n in TAIL}
            values = {name: realistic(name, rng) for name in sorted(names)}
            found = recover(render(rule, values, style), rule)
            shown = {n for _, n in known.pairs} | (
                {n for _, n in TAIL} if known.source == "syscall" else set()
            )
            for name in shown:
                if name not in found.fields:
                    verdicts["ambiguous"] += 1
                else:
                    verdicts["exact" if found.fields[name] == values[name] else "wrong"] += 1
    sys.stdout.write(f"made: {dict(verdicts)}\n")


if __name__ == "__main__":
    main()
