"""What carries an alert on a line: headers, told by their form, most specific first.

In: a line of text. Out: what follows its header, with what that states (time, host, Falco's pod).
Knows no JSON beyond its first bytes; nesting, and who may stand in whom, is for wrappers.py.
"""

from __future__ import annotations

import re

from analysis.intake.wrapped_json import ISO, Parts, Wrapper, iso_time, labels
from analysis.schema import PRIORITIES

_FALCO = (
    r"(?:\d\d:\d\d:\d\d\.\d{1,9}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}(?:Z|[+-]\d\d:?\d\d)): "
    rf"(?i:{'|'.join(PRIORITIES)}|Info) "
)
FALCO_TEXT = re.compile(_FALCO)
_START = rf"(?={_FALCO}|\{{\s*\")"


def _line(name: str, header: str) -> Wrapper:
    """Return a wrapper of lines: the header's named groups are context, what follows is handed back."""
    pattern = re.compile(header)

    def unwrap(text: str) -> list[Parts]:
        match = pattern.match(text)
        if not match:
            return []
        known = {key: value for key, value in match.groupdict().items() if value}
        seen = labels(known.pop("labels", ""))
        known["time"] = iso_time(known.get("time", ""))
        for key in [key for key in known if key.startswith("sensor_")]:
            known[key.replace("_", ".")] = known.pop(key)
        return [[(text[match.end() :], {k: v for k, v in (seen | known).items() if v})]]

    return Wrapper(name, lambda text: bool(pattern.match(text)), unwrap)


_COUNT = r"(?:\d{1,6} )?"  # RFC 6587 3.4.1: how many bytes follow
_PRI = rf"(?:{_COUNT}<\d{{1,3}}>)?"
_TAG = r"[A-Za-z_/(][^\s:\[{\"]{0,100}(?:\[[^\]\s]{0,40}\])?:(?:\s|(?=\{))"
_HOST = r"(?:(?P<hostname>[^\s\[]{0,255}[^\s:\[])\s)?"
_PATH = r"(?:[A-Za-z]:)?[^:{\"]{1,400}"

WRAPPERS = (
    # kubelet's log format: kubernetes/community contributors/design-proposals/node/kubelet-cri-logging.md
    _line("cri", rf"(?P<time>{ISO}) (?:stdout|stderr) [FP](?::\S*)? "),
    _line("kubectl", r"\[pod/(?P<sensor_pod>[^/\]\s]+)/(?P<sensor_container>[^\]\s]+)\]\s+"),
    # RFC 5424 6, then RFC 3164 4.1 (no year, no zone: no time), then rsyslog's and journalctl's forms
    _line(
        "syslog",
        rf"{_COUNT}<\d{{1,3}}>1 (?:(?P<time>{ISO})|-) (?:-|(?P<hostname>\S+)) \S+ \S+ \S+ "
        r"(?:-|(?:\[(?:[^\]\\]|\\.)*+\])++)\s*\ufeff?",
    ),
    _line(
        "syslog",
        rf"{_PRI}[A-Z][a-z]{{2}} {{1,2}}\d{{1,2}}(?: \d{{4}})? \d\d:\d\d:\d\d(?:\.\d+)? "
        rf"{_HOST}{_TAG}",
    ),
    _line("syslog", rf"{_PRI}(?P<time>{ISO}) {_HOST}{_TAG}"),
    _line("syslog", rf"\w{{3}} \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? \w{{1,5}} {_HOST}{_TAG}"),
    _line("syslog", rf"{_COUNT}<\d{{1,3}}>"),
    _line("fluent", rf"(?P<time>{ISO})\t[^\t]+\t(?=\{{)"),  # fluentd's out_file
    _line(
        "loki", rf"(?P<time>{ISO}) (?P<labels>\{{(?:[^{{}}\"]|\"(?:[^\"\\]|\\.)*+\")*+\}}) "
    ),  # logcli
    _line("timestamp", rf"(?P<time>{ISO})\s+"),  # docker logs -t, kubectl logs --timestamps
    _line("falcosidekick-log", r"(?:\S+ \S+ )?\[DEBUG\]\s*: [^{]{0,80}payload\s*: (?=\{)"),
    _line("compose", r"[\w.-]+ +\| "),
    _line(
        "stern",
        r"(?:[\w-]+ )?(?P<sensor_pod>[a-z0-9][\w.-]*) (?P<sensor_container>[\w.-]+) " + _START,
    ),
    _line("markdown", r"\|\s*`?\w+`?\s*\|\s*`?" + _START),
    _line("redis", r"\d+\) (?=\")"),  # redis-cli LRANGE
    _line("nats", r"\[#\d+\] Received on \S+?:? '"),
    _line("kafka", r"(?:CreateTime|LogAppendTime):\d+\t(?:[^\t{]*\t)*+"),
    _line("prefix", rf"[\w$#^-]{{1,40}}{_START}"),  # a terminal's echo, glued to the alert
    _line("comment", r"(?:[#>*;$|-]|//|\^C)++\s*(?=\S)"),
    _line("grep", rf"{_PATH}:{_START}"),
    _line("grep", rf"(?:{_PATH}:)?\d+[:-](?=\S)"),
    # at most three words of no known logger
    _line("prefix", rf"(?:[\w.:/@\[\]()|>#=+-]{{1,120}}\s+){{1,3}}{_START}"),
)
"""Carriers that put something before the alert on its line, most specific first."""

LOOSE = frozenset({"prefix", "grep", "stern"})
"""Wrappers that are any words: in another program's log, they may be what a stranger typed."""
