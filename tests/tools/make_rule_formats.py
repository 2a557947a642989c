"""Write the data of analysis/intake/output_text.py and kinds.py from the reference tables.

Run from the checkout: `python tests/tools/make_rule_formats.py`. Reads
`../shared/reference/{rules,fields}.csv` and, for the messages only, `../shared/alerts`: the words
before the fields, where real alerts of one rule alone begin with them. Nothing else of an alert is
kept. Writes `formats.json`, `labels.toml` and `kinds.csv` beside the modules.
"""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
OUT = ROOT / "analysis" / "intake"
UPSTREAM = re.compile(
    r"falcosecurity/(rules:rules/falco|plugins:plugins/(k8saudit|gcpaudit|cloudtrail|okta|github)/rules/)"
)

# what a field means, where its declared type misleads (pitfalls.md, exe_flags.md)
KIND_BY_NAME = {
    "proc.exe_ino.ctime_duration_proc_start": "reltime",  # declared ABSTIME, is a duration
    "proc.exe_ino.ctime_duration_pidns_start": "reltime",
    "proc.pid.ts": "abstime",  # declared RELTIME, is ns since the epoch
    "proc.ppid.ts": "abstime",
    "proc.pidns_init_start_ts": "abstime",  # declared UINT64
    "evt.rawtime.s": "uint",  # seconds, not ns
    "evt.rawtime.ns": "reltime",  # the remainder below a second
    "evt.latency.s": "uint",
    "evt.deltatime.s": "uint",
    "evt.reltime.s": "uint",
}
KIND_BY_TYPE = {
    "PT_ABSTIME": "abstime",
    "PT_RELTIME": "reltime",
    "PT_BOOL": "bool",
    "PT_UINT64": "uint",
    "PT_DOUBLE": "float",
    "PT_UINT32": "int",
    "PT_INT64": "int",
    "PT_INT32": "int",
    "PT_INT16": "int",
    "PT_PORT": "int",
}

# labels of older and custom rules, and of `-pk`, that no current format has (shapes.md, measured)
SYSCALL = {
    "process_name": "proc.name",
    "program": "proc.name",
    "proc.name": "proc.name",
    "parent_process": "proc.pname",
    "cmdline": "proc.cmdline",
    "exe_flags": "evt.arg.flags",
    "fd.sip": "fd.sip",
    "flags": "evt.arg.flags",
    "container_id": "container.id",
    "container_name": "container.name",
    "container_image_repository": "container.image.repository",
    "container_image_tag": "container.image.tag",
    "container_image": "container.image.repository",
    "container_start_ts": "container.start_ts",
    "image": "container.image.repository",
    "k8s_pod_name": "k8s.pod.name",
    "k8s_ns_name": "k8s.ns.name",
    "k8s_ns": "k8s.ns.name",
    "k8s.pod": "k8s.pod.name",
    "k8s.ns": "k8s.ns.name",
    "cur_uid": "user.uid",
}
# what Falco (%container.info, -pc, -pk, the container plugin) puts behind a rule's own fields
TAIL = {
    "container_id": "container.id",
    "container_name": "container.name",
    "container_image": "container.image.repository",
    "container_image_repository": "container.image.repository",
    "container_image_tag": "container.image.tag",
    "k8s_pod_name": "k8s.pod.name",
    "k8s_ns_name": "k8s.ns.name",
    "k8s_ns": "k8s.ns.name",
    "k8smeta_pod_name": "k8smeta.pod.name",
    "k8smeta_ns_name": "k8smeta.ns.name",
    "k8s.ns": "k8s.ns.name",
    "k8s.pod": "k8s.pod.name",
    "container": "container.id",
}
AMBIGUOUS = {
    "syscall": {"container", "name", "target", "linkpath", "type", "uid", "args", "ip", "path"}
    | {"srcip", "dstip", "dstport", "info", "fd", "proc"},
    "k8s_audit": {"name", "pod", "namespace", "reason", "target", "ns"},
}


def rows(name: str) -> list[dict[str, str]]:
    """Return the rows of one reference table."""
    with (SHARED / "reference" / name).open(newline="") as file:
        return list(csv.DictReader(file))


def kinds() -> list[tuple[str, str]]:
    """Return (field, kind) of each field whose JSON type is fixed."""
    found = []
    for row in rows("fields.csv"):
        name = row["name"]
        if row["json_type"] == "varies":  # evt.rawarg: its type is the argument's
            continue
        if row["is_list"] == "yes":
            kind = "list"
        elif row["json_type"] == "int (epoch ns)":
            kind = "abstime"
        elif row["json_type"].startswith("string"):
            kind = "string"
        else:
            kind = KIND_BY_TYPE[row["type"]]
        found.append((name.replace("<key>", "*"), KIND_BY_NAME.get(name, kind)))
    return found


def messages(formats: dict[str, str]) -> dict[str, list[str]]:
    """Return rule -> the messages that its real alerts begin with, and no other rule's.

    Where an alert holds all labels of the rule's format, only such alerts speak for the rule:
    operators reword rules and keep the name.
    """
    seen = defaultdict(set)
    proven = set()
    head = re.compile(r"(?:[\dT:.+-]+: )?(?:[A-Z][a-z]+ )?(.*?) (?:\(|\| )[\w.]+=")
    for path in (SHARED / "alerts").iterdir():
        for line in path.read_text("utf-8", "replace").splitlines():
            try:
                alert = json.loads(line[line.index("{") :])
                message, rule = head.match(alert["output"])[1], alert["rule"]
            except (ValueError, KeyError, TypeError):
                continue
            seen[message].add(rule)
            if all(
                f"{p.split(':')[0]}=" in alert["output"] for p in formats.get(rule, "?").split()
            ):
                proven.add((rule, message))
    sure = {rule for rule, _ in proven}
    found = defaultdict(list)
    for message, rules in sorted(seen.items()):
        rule = min(rules)
        if len(rules) == 1 and (rule not in sure or (rule, message) in proven):
            found[rule].append(message)
    return found


def formats(rules: list[dict[str, str]]) -> list[dict]:
    """Return the formats, each with the rules that share it."""
    known = messages({row["name"]: row["output_fields"] for row in rules})
    grouped = defaultdict(list)
    for row in rules:
        grouped[row["source"], row["output_fields"]].append(row["name"])
    found = []
    for (source, labels), names in grouped.items():
        one = {"source": source, "labels": labels, "rules": names}
        if said := {name: known[name] for name in names if name in known}:
            one["messages"] = said
        found.append(one)
    return found


def labels(rules: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return source -> label -> field; "" where a label has meant more than one field."""
    table: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in rules:
        for pair in row["output_fields"].split():
            label, field = pair.split(":", 1)
            if label:
                table[row["source"]][label].add(field)
    for label, field in SYSCALL.items():
        table["syscall"][label].add(field)
    for source, names in AMBIGUOUS.items():
        for label in names:
            table[source][label] |= {"", "?"}
    found = {
        source: {label: min(f) if len(f) == 1 else "" for label, f in sorted(by_label.items())}
        for source, by_label in table.items()
    }
    return found | {"tail": TAIL}


def main() -> None:
    """Write the three files."""
    rules = [row for row in rows("rules.csv") if UPSTREAM.match(row["file"])]
    made = ",\n".join(json.dumps(one, ensure_ascii=False) for one in formats(rules))
    (OUT / "formats.json").write_text(f"[\n{made}\n]\n", "utf-8")
    text = (
        "# Label of a rendered output -> field, by event source, and behind a rule's own fields (tail);"
        " made by"
        " tests/tools/make_rule_formats.py.\n"
        '# "" marks a label that has meant different fields in different rules.\n'
    )
    for source, by_label in labels(rules).items():
        text += f"\n[{source}]\n"
        text += "".join(f'"{label}" = {json.dumps(field)}\n' for label, field in by_label.items())
    (OUT / "labels.toml").write_text(text, "utf-8")
    with (OUT / "kinds.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("name", "kind"))
        writer.writerows(kinds())


if __name__ == "__main__":
    main()
