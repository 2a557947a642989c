"""The user's own rules in a report: what they define, where; and a generic playbook from them."""

from __future__ import annotations

import json
import os

import jsonschema
import pytest
from click.testing import CliRunner

import analysis as fa
from analysis import tables
from analysis.cli import main
from analysis.errors import SourceError
from analysis.knowledge import attack_page, tactic_of, techniques
from analysis.report.document import document, schema

from .conftest import lines
from .tools.make_attack import used

RULES = """\
- macro: container
  condition: container.id != host

- rule: Our miner rule
  desc: A miner by <b>name</b>.
  condition: container and proc.name = xmrig
  output: Miner seen by us (who=%user.name what=%proc.cmdline file=%proc.exepath group=%proc.sname)
  priority: CRITICAL
  tags: [T1496.001, mitre_impact]
"""
ALERT = {
    "rule": "Our miner rule",
    "priority": "Critical",
    "source": "syscall",
    "time": "2026-01-02T03:04:05.000000001Z",
    "hostname": "n1",
    "tags": ["T1496.001", "mitre_impact"],
    "output": "03:04:05.000000001: Critical Miner seen by us"
    " (who=root what=xmrig -o pool file=/tmp/xmrig group=sh)",
}


@pytest.fixture
def file(tmp_path):
    """The rules above, in a file."""
    path = tmp_path / "mine.yaml"
    path.write_text(RULES)
    return path


@pytest.fixture
def case(file):
    """The case of the text alert, read and worked out by the file."""
    alerts, _ = fa.read_alerts(lines(ALERT), rules=fa.own_rules(str(file)))
    return fa.investigate(alerts, rules=str(file))


def test_labels_of_own_rules_are_evidence(case):
    """What the own format tells of the text reaches the findings, not the frame alone."""
    (exhibit,) = case.exhibits

    assert exhibit.fields["proc.cmdline"] == "xmrig -o pool"
    assert exhibit.fields["user.name"] == "root"


def test_report_says_what_the_file_defines_and_where(case):
    """Escaped, with file and line, marked as the user's, and not as what the sensor had."""
    html = tables.playbook(case).html

    assert "From your own rules files" in html
    assert "mine.yaml, line 4" in html
    assert "A miner by &lt;b&gt;name&lt;/b&gt;." in html
    assert "proc.name = xmrig" in html
    assert "Priority Critical" in html
    assert "the alert does not tell" in html


def test_report_json_has_the_rule(case):
    """By the schema."""
    made = json.loads(json.dumps(document(case), default=str))
    jsonschema.validate(made, schema())
    (rule,) = made["own_rules"]

    assert rule["defined"] == {"file": "mine.yaml", "line": 4}
    assert rule["condition"] == "container and proc.name = xmrig"


def test_generic_playbook_is_built_from_tags_fields_and_description(case):
    """Marked as generic; techniques from tags, deciding fields from the output format."""
    (book,) = case.playbooks

    assert book.generic
    assert book.techniques == ("T1496.001",)
    assert "generic playbook" in book.meaning
    assert "“Our miner rule”" in book.meaning
    assert "“A miner by <b>name</b>.”" in book.meaning
    assert "Impact" in book.meaning
    assert "mine.yaml, line 4" in book.step[0].how
    assert "container" in book.step[0].how


def test_without_rules_files_the_generic_playbook_claims_no_description():
    """The alert alone: its name and tags."""
    alerts, _ = fa.read_alerts(lines(ALERT))
    case = fa.investigate(alerts)
    (book,) = case.playbooks

    assert case.own_rules == ()
    assert book.techniques == ("T1496.001",)
    assert "rules files given" not in book.meaning


def test_a_rule_of_another_source_is_not_this_one(file):
    """The name alone does not make it the same rule."""
    file.write_text(RULES + "  source: k8s_audit\n")
    alerts, _ = fa.read_alerts(lines(ALERT))

    assert fa.investigate(alerts, rules=[str(file)]).own_rules == ()


def test_paths_join_as_the_system_joins_them(file, tmp_path):
    """One text for a notebook's parameter; a changed file is read again; a missing one is said."""
    other = tmp_path / "more.yaml"
    other.write_text("- rule: B\n  desc: d\n  condition: c\n  output: o\n  priority: INFO\n")

    assert [*fa.own_rules(f"{file}{os.pathsep}{other}")] == ["Our miner rule", "B"]
    other.write_text("- rule: BB\n  desc: d\n  condition: c\n  output: o\n  priority: INFO\n")
    assert [*fa.own_rules([other])] == ["BB"]
    assert fa.own_rules("") == {}
    with pytest.raises(SourceError, match="No such file"):
        fa.own_rules(str(tmp_path / "none.yaml"))


def test_explain_shows_the_file(file):
    """In a terminal: where it is defined, its condition, and the generic playbook."""
    done = CliRunner().invoke(main, ["explain", "our miner rule", "--rules", str(file)])

    assert done.exit_code == 0, done.output
    assert "mine.yaml:4" in done.output.replace("\n", "")
    assert "container and proc.name = xmrig" in done.output
    assert "generic playbook" in " ".join(done.output.split())


def test_techniques_lead_to_their_pages(case):
    """A plain link; what is no id of ATT&CK leads nowhere."""
    assert 'href="https://attack.mitre.org/techniques/T1496/001/"' in tables.findings(case).html
    assert attack_page("TA0040") == "https://attack.mitre.org/tactics/TA0040/"
    assert attack_page('T1496"><script>') == ""


def test_every_technique_used_has_a_name_and_a_tactic():
    """What playbooks and readings name is in attack.toml, and tells a tactic."""
    names = techniques()

    for one in used():
        assert one in names, one
        assert tactic_of(one), one
