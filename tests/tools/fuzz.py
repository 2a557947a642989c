"""Feed the kit what nobody would write: `python -m tests.tools.fuzz --minutes 60`.

Seeds are the samples of `data/`, the cases of `tests/spec/wrappers.md`, and `tests/spec/fuzz/`,
which also keeps each input that once broke a law. They are mutated by bytes, as JSON, as rendered
text, and by the wrappers put around them. The laws:

- no exception but the kit's own, and no hang;
- each byte but blanks is in one record, and each record is alerts, or rejects, or both;
- a file read fast, read slowly, and read through a narrow window, says the same;
- what is quoted as evidence is what stands in the file;
- of what loads, a report can be made, and it is JSON in UTF-8.

An input that breaks one is written to `--keep`, under the digest of its bytes.
"""

from __future__ import annotations

import argparse
import base64
import copy
import gzip
import hashlib
import json
import random
import re
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

import analysis as fa
from analysis.errors import KitError
from analysis.intake import bulk, window
from analysis.intake.records import Origin, Record, Reject, iter_records
from analysis.intake.wrappers import iter_spans
from analysis.report.document import document

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "tests" / "spec" / "fuzz"
SECONDS = 20
"""Of computing, after which an input of some kilobytes counts as a hang."""

LONGEST = 200_000  # bytes of one input
MOST_INCIDENTS = 2

TOKENS = (
    *(b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\n", b"\r\n", b" ", b"\t", b"\0", b"\xff"),
    *(b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xae", b"\\u0000", b"\\ud800", b"\\n", b"\\"),
    *(b"null", b"NaN", b"-Infinity", b"1e999", b"-0", b"1.5", b"0" * 50, b"9" * 5000, b"true"),
    *(b"[" * 300, b"]" * 300, b'{"a":' * 300, b"}" * 300, b"{}" * 20, b"[{}, " * 20),
    *(b"2026-03-17T09:41:05.2Z", b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:59.999999999+14:00"),
    *(
        b"09:41:05.218340077: Notice ",
        b" (user=",
        b" | user=",
        b")",
        b" command=",
        b" container_id=",
    ),
    *(b" stdout P ", b" stderr F ", b'{"log":"', b'"stream":"stdout"', b"<14>", b"290 <14>1 "),
    *(b'"rule":', b'"priority":', b'"time":', b'"output":', b'"output_fields":', b'"condition":1'),
    *(b'"_source":', b'"hits":{"hits":[', b'"MESSAGE":', b"\x1b[31m", b"\x1f\x8b\x08", b"[...]"),
)
WORDS = (
    *(
        "",
        " ",
        "<NA>",
        "root",
        "x" * 5000,
        "\0",
        "\ud800",
        "\u202e",
        "\x1b[31m",
        "a=b",
        "a,b",
        "\n",
    ),
    *(
        "(user=root)",
        "| process=x",
        "${x}",
        "{0}",
        "%s",
        "../../x",
        "é",
        "\u2028",
        "NaN",
        "-1",
        "1e3",
    ),
    *(
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2026-02-30T00:00:00Z",
        "09:41:05.1: Notice x",
    ),
    *(
        '{"rule":"R"}',
        "[]",
        "CRITICAL",
        "info",
        "Falco internal: x",
        "EXE_WRITABLE|EXE_LOWER_LAYER",
    ),
    *("2026-03-17T09:41:05.2Z", "syscall", "k8s_audit", "127.0.0.1:80->127.0.0.1:81", "execve"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63), 10**400, 1.5, 1e308),
    *([], {}, [1], ["a", "b"], [[]], {"a": None}, [None], {"": ""}, [{}], {"rule": "x"}),
)
KEYS = (
    *("rule", "priority", "time", "output", "output_fields", "source", "hostname", "tags", "uuid"),
    *(
        "proc.name",
        "proc.pid",
        "proc.cmdline",
        "proc.pid.ts",
        "evt.time",
        "evt.time.iso8601",
        "evt.num",
    ),
    *(
        "user.uid",
        "container.id",
        "container.start_ts",
        "fd.name",
        "proc.aname[2]",
        "evt.arg.flags",
    ),
    *(
        "proc.exe_ino.ctime_duration_proc_start",
        "ka.req.pod.containers.image",
        "proc.is_exe_writable",
    ),
    *("", ".", "x", "a.b", "Rule", "outputFields", "output_fields.a", "log", "message", "_source"),
    *(
        "hits",
        "stream",
        "values",
        "labels",
        "data",
        "condition",
        "specversion",
        "origin_file",
        "extra.x",
    ),
    *(
        "alert_id",
        "incident_id",
        "unparsed",
        "recovered",
        "wrapper",
        "__index_level_0__",
        "evt.type",
    ),
)
ALERT = b'{"output":"x","priority":"Notice","rule":"R","time":"2026-03-17T09:41:05.218340077Z",'
ALERT += (
    b'"output_fields":{"proc.name":"a","proc.pid":7,"proc.is_exe_writable":false},"hostname":"h",'
)
ALERT += b'"source":"syscall","tags":["a"]}'
GOOD = (ALERT, ALERT, b"2026-03-17T09:41:05.218340077Z stdout F " + ALERT)
AT = "2026-03-17T09:41:05.218340077Z"


class BrokenLawError(AssertionError):
    """An input for which a law does not hold."""


@cache
def corpus() -> tuple[bytes, ...]:
    """Return the seeds, in a fixed order."""
    document = (ROOT / "tests" / "spec" / "wrappers.md").read_bytes()
    cases = re.findall(rb"```text\n(.*?)```", document, re.DOTALL)
    folders = [ROOT / "data" / "alerts", ROOT / "data" / "wrapped", KEPT]
    files = [path for folder in folders for path in sorted(folder.iterdir())]
    return (*(path.read_bytes() for path in files), *cases)


# --- mutations -------------------------------------------------------------------------------


def mutated(source: random.Random) -> bytes:
    """Return an input: seeds, mutated one to six times, beside each other."""
    made = []
    for _ in range(source.choice((1, 1, 1, 2, 3))):
        data = source.choice(corpus())
        for _ in range(source.randint(1, 6)):
            data = source.choice(MUTATIONS)(data, source)[:LONGEST]
        made.append(data)
    if source.random() < 0.3:  # a file of lines, of which one is odd: read the fast way
        good = source.choice(GOOD)
        made = [good, good, *made, good]
        made += [good] * sum(one.count(b"\n") for one in made)
    return source.choice((b"\n", b"\n", b"\n", b"", b" ", b",", b"\r\n", b"\0")).join(made)


def _places(data: bytes, source: random.Random) -> tuple[int, int]:
    first = source.randint(0, len(data))
    return first, min(len(data), first + source.choice((0, 1, 2, 8, 64, 512)))


def _token(data: bytes, source: random.Random) -> bytes:
    first, last = _places(data, source)
    return data[:first] + source.choice(TOKENS) + data[source.choice((first, last)) :]


def _flip(data: bytes, source: random.Random) -> bytes:
    if not data:
        return data
    at = source.randrange(len(data))
    return data[:at] + bytes([source.randrange(256)]) + data[at + 1 :]


def _cut(data: bytes, source: random.Random) -> bytes:
    first, last = _places(data, source)
    return source.choice((data[:first] + data[last:], data[:first], data[first:]))


def _repeat(data: bytes, source: random.Random) -> bytes:
    first, last = _places(data, source)
    return data[:first] + data[first:last] * source.choice((2, 3, 40)) + data[last:]


def _splice(data: bytes, source: random.Random) -> bytes:
    other = source.choice(corpus())
    return data[: _places(data, source)[0]] + other[_places(other, source)[0] :]


def _documents(data: bytes) -> list[Any]:
    try:
        return [json.loads(data)]
    except (ValueError, RecursionError):
        pass
    found = []
    for line in data.splitlines():
        try:
            found.append(json.loads(line))
        except (ValueError, RecursionError):
            continue
    return found


def _value(source: random.Random) -> Any:
    kind = source.randrange(8)
    if kind < 3:
        return source.choice(WORDS)
    if kind < 6:
        return copy.deepcopy(source.choice(VALUES))  # it will be changed
    return source.choice(WORDS) + source.choice(WORDS) if kind == 6 else source.choice(KEYS)


def _as_json(data: bytes, source: random.Random) -> bytes:
    """Change the value, or the key, at a place of a document."""
    documents = [one for one in _documents(data) if isinstance(one, dict | list)]
    if not documents:
        return _token(data, source)
    whole = source.choice(documents)
    for _ in range(source.randint(1, 3)):
        at = whole
        while isinstance(at, dict | list) and at:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            key = source.choice(keys)
            inner = at[key]
            if isinstance(inner, dict | list) and inner and source.random() < 0.8:
                at = inner
                continue
            _change(at, key, source)
            break
    text = json.dumps(
        whole,
        indent=source.choice((None, None, None, 1)),
        ensure_ascii=source.choice((True, False)),
        separators=source.choice(((",", ":"), (", ", ": "))),
    )
    return text.encode("utf-8", "surrogatepass") + source.choice((b"", b"\n"))


def _change(at: Any, key: Any, source: random.Random) -> None:
    how = source.randrange(6)
    if how == 0:
        del at[key]
    elif how == 1:
        at[key] = json.dumps(at[key])
    elif how == 2 and isinstance(at, dict):
        at[source.choice(KEYS)] = at.pop(key)
    elif how == 3 and isinstance(at, dict):
        at[source.choice(KEYS)] = _value(source)
    elif how == 4:
        at[key] = [at[key]] if source.random() < 0.5 else {source.choice(KEYS): at[key]}
    else:
        at[key] = _value(source)


def _as_text(data: bytes, source: random.Random) -> bytes:
    """Put a seed's rendered text on a line of its own, with words of other texts in it."""
    documents = [one for one in _documents(data) if isinstance(one, dict)]
    output = source.choice(documents).get("output") if documents else None
    text = output if isinstance(output, str) else f"{AT[11:-1]}: Notice x (user=root process=x)"
    words = text.split(" ")
    for _ in range(source.randint(0, 3)):
        words.insert(source.randint(0, len(words)), source.choice((*WORDS, " user=", "a=b=c")))
    return " ".join(words).encode("utf-8", "surrogatepass") + b"\n"


def _wrapped(data: bytes, source: random.Random) -> bytes:
    text = data.decode("utf-8", "replace").strip()
    line = text.replace("\n", " ")
    at = source.randint(0, len(line))
    return source.choice(
        (
            lambda: f"{AT} stdout F {line}",
            lambda: f"{AT} stdout P {line[:at]}\n{AT} stdout F {line[at:]}",
            lambda: f"{AT} stderr P {line[:at]}\n{AT} stdout P {line[at:]}",
            lambda: json.dumps({"log": line + "\n", "stream": "stdout", "time": AT}),
            lambda: json.dumps({"log": line[:at], "stream": "stdout", "time": AT}),
            lambda: json.dumps({"hits": {"hits": [{"_source": {"message": text}}] * 2}}),
            lambda: f'{{"_index":"f","_source":{text}}}',
            lambda: f"[{text},{text}]",
            lambda: f"[\n{text}\n,\n{text}\n]\n",
            lambda: json.dumps(text),
            lambda: json.dumps({"streams": [{"stream": {"rule": "R"}, "values": [["1", text]]}]}),
            lambda: f"<14>1 {AT} host falco 1 - - {line}",
            lambda: f"{len(line.encode())} <14>1 {AT} h f 1 - - {line}",
            lambda: f"Jan  2 03:04:05 node falco[17]: {line}",
            lambda: f"[pod/falco-abcde/falco] {line}",
            lambda: f"falco.log:7:{line}",
            lambda: f"| a | `{line}` |",
            lambda: base64.b64encode(text.encode()).decode(),
            lambda: base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode(),
            lambda: f"\x1b[36mfalco |\x1b[0m {line}",
        )
    )().encode()


def _packed(data: bytes, source: random.Random) -> bytes:
    if source.random() < 0.5:
        return data.decode("utf-8", "replace").encode("utf-16")
    packed = gzip.compress(data, mtime=0)
    return packed[: source.choice((len(packed), len(packed), len(packed) // 2))]


MUTATIONS = (
    *(_token, _token, _flip, _cut, _repeat, _splice, _as_json, _as_json, _as_json, _as_json),
    *(_as_text, _wrapped, _wrapped, _wrapped),
)


# --- laws ------------------------------------------------------------------------------------


def check_records(data: bytes) -> list[Record | Reject]:
    """Hold the laws of records; return them."""
    at, line = (3, 1) if data.startswith(b"\xef\xbb\xbf") else (0, 1)
    places: Counter[int] = Counter()
    for span in sorted(iter_spans(data), key=lambda one: one.offset):
        places[span.offset] += 1
        _hold(span.length > 0, f"a record without bytes at {span.offset}")
        _hold(not data[at : span.offset].strip(), f"bytes in no record: {at} to {span.offset}")
        line_is = line + data.count(b"\n", 0, span.offset)
        _hold(span.line == line_is, f"line {span.line} of a record in line {line_is}")
        at = max(at, span.offset + span.length)  # the parts of two lines may interleave
    _hold(not data[at:].strip(), f"bytes in no record: {at} to the end")
    found = list(iter_records("data", data))
    _hold({one.origin.offset for one in found} == set(places), "a record without alert or reject")
    return found


def check_window(data: bytes, source: random.Random) -> None:
    """Hold the laws of a window as narrow as it may be."""
    whole = list(iter_spans(data))
    longest = max([span.length for span in whole], default=0)
    with _patched(window, "LONGEST", source.choice((64, 200, 1000, longest + 1, 2 * longest + 1))):
        narrow = list(iter_spans(data))
        list(iter_records("data", data))
    at = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    for span in sorted(narrow, key=lambda one: one.offset):
        between = data[at : span.offset].strip()
        _hold(not between.strip(b"[], \t\r\n"), f"bytes in no record: {at} to {span.offset}")
        at = max(at, span.offset + span.length)
    _hold(not data[at:].strip(b"], \t\r\n\x0b\x0c"), f"bytes in no record: {at} to the end")


def check_frames(data: bytes, path: Path, records: list[Record | Reject]) -> pd.DataFrame:
    """Hold the laws of frames; return the alerts."""
    path.write_bytes(data)
    with _patched(bulk, "SMALLEST", 0):
        fast, fast_rejects = fa.read_alerts(path)
    with _patched(bulk, "SMALLEST", 1 << 60):
        slow, slow_rejects = fa.read_alerts(path)
    pd.testing.assert_frame_equal(plain(fast), plain(slow))
    pd.testing.assert_frame_equal(fast_rejects, slow_rejects)
    if not data.startswith(PACKED):
        count = len(slow) + len(slow_rejects)
        _hold(count == len(records), f"{count} rows of {len(records)} records")
        for row, raw in zip(_origins(slow), fa.raw_records(slow), strict=True):
            _hold(raw == data[row.offset : row.offset + row.length], f"quoted otherwise: {row}")
    return slow


PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"\xff\xfe", b"\xfe\xff")


def _origins(alerts: pd.DataFrame) -> Iterator[Origin]:
    names = ["origin_file", "origin_line", "origin_offset", "origin_length"]
    yield from (Origin(*row) for row in alerts[names].itertuples(index=False))


def check_report(alerts: pd.DataFrame) -> int:
    """Hold the laws of reports; return how many were made."""
    correlated, incidents, _ = fa.correlate(alerts)
    made = 0
    for name in incidents["incident_id"].tolist()[:MOST_INCIDENTS]:
        case = fa.investigate(correlated, incident_id=name)
        json.dumps(document(case), ensure_ascii=False, allow_nan=False).encode("utf-8")
        made += 1
    return made


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose categories do not depend on the order in which they were met."""
    known = frame.dropna(axis="columns", how="all")
    labels = known.select_dtypes("category").columns.difference(["priority"])
    return known.astype(dict.fromkeys(labels, "str"))


def _hold(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BrokenLawError(otherwise)


@contextmanager
def _patched(module: Any, name: str, value: int) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def check(data: bytes, path: Path, source: random.Random, *, frames: bool, report: bool) -> int:
    """Hold the laws for one input; return how many reports were made of it."""
    records = check_records(data)
    check_window(data, source)
    if not frames:
        return 0
    alerts = check_frames(data, path, records)
    return check_report(alerts) if report and len(alerts) else 0


# --- the long run ----------------------------------------------------------------------------


def run(minutes: float, seed: int, keep: Path) -> int:
    """Fuzz for some minutes; print what was found; return how many inputs broke a law."""
    signal.signal(signal.SIGPROF, _hung)
    done: Counter[str] = Counter()
    found: Counter[str] = Counter()
    start = told = time.monotonic()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "input"
        while time.monotonic() - start < minutes * 60:
            number = done["executions"]
            source = random.Random(f"{seed}-{number}")
            data = mutated(source)
            if number % 20 == 19:
                data = _packed(data, source)
            before = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            frames, report = number % 5 == 0, number % 40 == 0
            try:
                done["reports"] += check(data, path, source, frames=frames, report=report)
            except Exception as error:  # noqa: BLE001 - what is looked for
                kept = _kept(error, data, keep, found)
                if kept:
                    print(f"{kept}: {seed}-{number}")
                    traceback.print_exc(limit=-4, file=sys.stdout)
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
            slowest = max(slowest, time.process_time() - before)
            done["executions"] += 1
            done["read both ways"] += frames
            if time.monotonic() - told > 60:
                told = time.monotonic()
                print(
                    f"{(told - start) / 60:.0f} min: {dict(done)}, broken {dict(found)}", flush=True
                )
    counts = ", ".join(f"{count:,} {what}" for what, count in done.items())
    print(f"{counts} in {minutes:g} minutes; slowest {slowest:.1f} s; seed {seed}")
    print(f"{len(found)} laws broken, by {found.total()} inputs")
    for what, count in found.items():
        print(f"  {count} x {what}")
    return found.total()


def _kept(error: Exception, data: bytes, keep: Path, found: Counter[str]) -> Path | None:
    """Count an error by where it was raised; write the input down if it is the first."""
    if isinstance(error, KitError):
        return None
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} in {frame.name}, {Path(frame.filename).name}"
    if isinstance(error, BrokenLawError):
        where = re.sub(r"\d+", "N", f"{where}: {error}")
    found[where] += 1
    if found[where] > 1:
        return None
    keep.mkdir(parents=True, exist_ok=True)
    path = keep / hashlib.sha256(data).hexdigest()[:12]
    path.write_bytes(data)
    return path


def _hung(*_: object) -> None:
    raise BrokenLawError("it hangs")


def main() -> None:
    """Read the options, and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-found"))
    options = parser.parse_args()
    sys.exit(bool(run(options.minutes, options.seed, options.keep)))


if __name__ == "__main__":
    main()
