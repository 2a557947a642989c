"""Write any number of synthetic Falco alerts: the file that the benchmarks read.

`python -m tests.benchmarks.generate N FILE` writes N lines of about 1.1 kB from a fixed seed: 24
rules, fields that change their kind between rules, uint64 values, text beyond ASCII, nulls, and
one line in a hundred that is no alert. Nothing in it is a capture of anybody's machine.
"""

from __future__ import annotations

import json
import random
import sys
from datetime import UTC, datetime
from pathlib import Path

PROCESS = ("proc.name", "proc.exepath", "proc.pname", "proc.cmdline", "proc.tty")
USER = ("user.name", "user.uid", "user.loginuid")
CONTAINER = (
    *("container.id", "container.name", "container.image.repository", "container.image.tag"),
    *("k8s.ns.name", "k8s.pod.name", "container.start_ts"),
)
PIDS = (
    "proc.pid",
    "proc.ppid",
    "proc.pid.ts",
    "proc.aname[2]",
    "proc.aname[3]",
    "proc.sname",
    "proc.cwd",
)
FILE = ("fd.name", "fd.nameraw", "evt.arg.flags")
NETWORK = ("fd.name", "fd.sip", "fd.sport", "fd.l4proto", "fd.rip")
EXEC = ("evt.arg.flags", "evt.res", "proc.exe_ino.ctime", "proc.exe_ino.ctime_duration_proc_start")
# rule, priority, event types, technique, groups of fields
RULES = [
    (f"{name}", priority, events, technique, groups)
    for name, priority, events, technique, groups in (
        ("Fileless execution via memfd_create", "Critical", ("execve",), "T1620", (EXEC,)),
        ("Drop and execute new binary in container", "Critical", ("execve",), "T1105", (EXEC,)),
        ("Terminal shell in container", "Notice", ("execve",), "T1059", (EXEC,)),
        ("Run shell untrusted", "Notice", ("execve", "execveat"), "T1059.004", (EXEC,)),
        ("Execution from /dev/shm", "Warning", ("execve",), "T1059.004", (EXEC, FILE)),
        ("Read sensitive file untrusted", "Warning", ("openat", "open"), "T1555", (FILE,)),
        ("Read sensitive file trusted after startup", "Warning", ("openat",), "T1555", (FILE,)),
        ("Directory traversal monitored file read", "Warning", ("openat",), "T1555", (FILE,)),
        ("Create Symlink Over Sensitive Files", "Warning", ("symlinkat",), "T1555", (FILE,)),
        ("Clear Log Activities", "Warning", ("openat",), "T1070", (FILE,)),
        ("Remove Bulk Data from Disk", "Warning", ("execve",), "T1485", (EXEC,)),
        ("Search Private Keys or Passwords", "Warning", ("execve",), "T1552.001", (EXEC,)),
        ("Find AWS Credentials", "Warning", ("execve",), "T1552", (EXEC,)),
        ("PTRACE attached to process", "Warning", ("ptrace",), "T1055.008", ()),
        ("PTRACE anti-debug attempt", "Notice", ("ptrace",), "T1622", ()),
        ("System user interactive", "Informational", ("execve",), "T1059", (EXEC,)),
        ("Packet socket created in container", "Notice", ("socket",), "T1557.002", (NETWORK,)),
        ("Contact K8S API Server From Container", "Notice", ("connect",), "T1565", (NETWORK,)),
        (
            "Redirect STDOUT/STDIN to Network Connection in Container",
            "Notice",
            ("dup2",),
            "T1059",
            (NETWORK,),
        ),
        (
            "Disallowed SSH Connection Non Standard Port",
            "Notice",
            ("connect",),
            "T1059",
            (NETWORK,),
        ),
        ("Netcat Remote Code Execution in Container", "Warning", ("execve",), "T1059", (EXEC,)),
        ("Linux Kernel Module Injection Detected", "Warning", ("finit_module",), "TA0003", ()),
        ("Debugfs Launched in Privileged Container", "Warning", ("execve",), "T1611", (EXEC,)),
        ("Our own rule: odd work", "Debug", ("write", "unlinkat"), "T1036", (FILE,)),
    )
]
LINES_THAT_ARE_NO_ALERT = 100
START = 1_757_000_000_000_000_000


AT = b"2025-09-04T15:33:20.123456789Z"
WRAPPED = {
    "cri": lambda line: AT + b" stdout F " + line,
    "docker": lambda line: json.dumps(
        {"log": line.decode() + "\n", "stream": "stdout", "time": AT.decode()},
        separators=(",", ":"),
    ).encode(),
    "syslog": lambda line: b"<12>1 " + AT + b" node-1 falco 17 - - " + line,
}
"""What puts a line into a wrapper."""


def alerts(count: int, seed: int = 7) -> list[bytes]:
    """Return `count` lines, the same for the same seed."""
    chance = random.Random(seed)
    hosts = [f"node-{n}" for n in range(40)]
    names = [
        "bash",
        "sh",
        "python3",
        "nginx",
        "java",
        "cat",
        "curl",
        "日本語",
        "3",
        "tar",
        "redis-server",
    ]
    containers = [
        (f"{chance.getrandbits(48):012x}", f"app-{n}", f"team-{n % 17}") for n in range(400)
    ]
    made = []
    for number in range(count):
        time = START + number * 61_234_567 + chance.randrange(1_000_000)
        line = json.dumps(
            _alert(chance, time, hosts, names, containers),
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode()
        if number % LINES_THAT_ARE_NO_ALERT == LINES_THAT_ARE_NO_ALERT - 1:
            line = _broken(line, number // LINES_THAT_ARE_NO_ALERT)
        made.append(line)
    return made


def _alert(chance, time, hosts, names, containers) -> dict:
    rule, priority, events, technique, groups = chance.choice(RULES)
    identity, name, team = chance.choice(containers)
    process = chance.choice(names)
    arguments = " ".join(
        f"--opt{chance.randrange(99)}=/srv/{chance.getrandbits(64):x}" for _ in range(2)
    )
    values = {
        "proc.name": process,
        "proc.exepath": f"/usr/bin/{process}",
        "proc.pname": chance.choice(names),
        "proc.cmdline": f"{process} {arguments}",
        "proc.tty": chance.choice((0, 0, 34816, 34817)),
        "proc.pid": chance.randrange(1, 4_194_304),
        "proc.ppid": chance.randrange(1, 4_194_304),
        "proc.pid.ts": time - chance.randrange(10**10),
        "proc.aname[2]": "containerd-shim",
        "proc.aname[3]": None,
        "proc.sname": "",
        "proc.cwd": "/",
        "user.name": chance.choice(("root", "www-data", "<NA>")),
        "user.uid": chance.choice((0, 33, 4294967295)),
        "user.loginuid": chance.choice((-1, 1000)),
        "container.id": identity,
        "container.name": name,
        "container.image.repository": f"registry.example/{team}/{name}",
        "container.image.tag": f"1.{chance.randrange(40)}.0",
        "container.start_ts": time - 10**12,
        "k8s.ns.name": team,
        "k8s.pod.name": f"{name}-{identity[:8]}" if chance.random() < 0.9 else None,
        "fd.name": f"/etc/{chance.choice(('shadow', 'passwd', 'größe'))}",
        "fd.nameraw": "/etc/../etc/shadow",
        "fd.sip": "10.0.0.1",
        "fd.sport": 443,
        "fd.l4proto": "tcp",
        "fd.rip": "10.0.0.1",
        "evt.arg.flags": "EXE_WRITABLE|EXE_LOWER_LAYER" if EXEC in groups else "O_RDONLY|O_CLOEXEC",
        "evt.res": "SUCCESS",
        "proc.exe_ino.ctime": time - chance.randrange(10**14),
        "proc.exe_ino.ctime_duration_proc_start": chance.choice(
            (5 * 10**9, 2**64 - chance.randrange(1, 10**9))
        ),
    }
    wanted = [f for group in (PROCESS, USER, CONTAINER, PIDS, *groups) for f in group]
    fields = {field: values[field] for field in wanted} | {
        "evt.time": time,
        "evt.type": chance.choice(events),
    }
    if chance.random() < 0.005:  # fields of somebody's own rules, and one that changes its kind
        fields |= {"custom.team": team, "proc.env": "A=1", "evt.rawres": chance.choice((0, "0"))}
    text = " ".join(f"{f.replace('.', '_')}={v}" for f, v in list(fields.items())[:4])
    moment = datetime.fromtimestamp(time // 10**9, UTC)
    clock = f"{moment:%H:%M:%S}.{time % 10**9:09d}"
    return {
        "hostname": chance.choice(hosts),
        "output": f"{clock}: {priority} {rule} happened | {text}",
        "output_fields": dict(sorted(fields.items())),
        "priority": priority,
        "rule": rule,
        "source": "syscall",
        "tags": sorted([technique, "container", "host", "maturity_stable", "mitre_execution"]),
        "time": f"{moment:%Y-%m-%dT%H:%M:%S}.{time % 10**9:09d}Z",
    }


def _broken(line: bytes, kind: int) -> bytes:
    """Return a line as logs hold them among alerts: cut, glued, noise, or of a wrong kind."""
    return (
        line[: len(line) // 2],
        b"Thu Sep  4 15:33:20 2025: Falco initialized with configuration file",
        line.replace(b'"priority":"', b'"priority":"No', 1),
        line.replace(b'"time":"20', b'"time":"ab', 1),
        b'{"sample":1,"output_fields":{}}',
    )[kind % 5]


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(b"\n".join(alerts(int(sys.argv[1]))) + b"\n")
