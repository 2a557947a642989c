"""The user's own rules files: what holds after all of them, where it was written, what was wrong."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import SourceError
from analysis.knowledge.rules import RuleException, read_rules

BASE = """\
- required_engine_version: 0.31.0

- required_plugin_versions:
  - name: container
    version: 0.2.2

- list: shells
  items: [ash, bash, 80, on]

- macro: spawned
  condition: (evt.type in (execve, execveat))

- rule: Shell by hand
  desc: >
    A shell
    starts.
  condition: >
    spawned and proc.name in (shells)
    and not proc.pname = "spawned by"
  output: Shell (user=%user.name command=%proc.cmdline)
  priority: NOTICE
  tags: [shell, T1059]
  exceptions:
    - name: parents
      fields: [proc.pname, fd.name]
      comps: [in, startswith]
      values:
        - [[cron, shells], /etc]
    - name: images
      fields: container.image.repository
"""


@pytest.fixture
def read(tmp_path):
    """Read texts as rules files, named a.yaml, b.yaml and so on."""

    def reading(*texts: str | bytes):
        files = [tmp_path / f"{letter}.yaml" for letter in "abcdef"[: len(texts)]]
        for file, text in zip(files, texts, strict=True):
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_rules(files)

    return reading


def wrong(problems) -> list[str]:
    """Return the messages, without folders."""
    return [re.sub(r"/\S+/", "", str(problem)) for problem in problems]


# ---------------------------------------------------------------- one file
def test_a_rule_is_what_its_file_says(read):
    """All that the report and the text parser want of it; what is not written has Falco's default."""
    found, problems = read(BASE)
    rule = found.rules["Shell by hand"]

    assert not problems
    assert rule.description == "A shell starts."
    assert rule.condition == ('spawned and proc.name in (shells) and not proc.pname = "spawned by"')
    assert rule.output == "Shell (user=%user.name command=%proc.cmdline)"
    assert (rule.priority, rule.source, rule.enabled) == ("Notice", "syscall", True)
    assert rule.tags == ("shell", "T1059")
    assert rule.exceptions == (
        RuleException(
            "parents",
            ("proc.pname", "fd.name"),
            ("in", "startswith"),
            ((("cron", "shells"), "/etc"),),
        ),
        RuleException("images", ("container.image.repository",), ("in",)),
    )


def test_each_thing_has_its_place(read):
    """File and line, so that a reader finds it."""
    found, _ = read(BASE)

    assert [one.defined.line for one in (found.lists["shells"], found.macros["spawned"])] == [7, 10]
    assert str(found.rules["Shell by hand"].defined).endswith("a.yaml:13")
    assert found.rules["Shell by hand"].changed == ()


def test_values_are_text_as_in_falco(read):
    """Falco's YAML reader knows no numbers and no `on`: a list holds what is written."""
    assert read(BASE)[0].lists["shells"].items == ("ash", "bash", "80", "on")


def test_macros_and_lists_that_a_rule_names(read):
    """By name, not by the letters of a value: quoted text and compared values name nothing."""
    more = "- list: spawned_by\n  items: [x]\n- macro: bash\n  condition: proc.name = bash\n"
    more += (
        "- rule: R\n  desc: d\n  output: o\n  priority: INFO\n"
        "  condition: (spawned or proc.name=bash) and not fd.name startswith spawned"
        " and fd.name in (spawned_by, /x) and proc.aname[2] = 'bash' and k8s.pod.label[bash] exists\n"
    )
    found, _ = read(BASE, more)

    assert (found.rules["R"].macros, found.rules["R"].lists) == (("spawned",), ("spawned_by",))
    rule = found.rules["Shell by hand"]
    assert (rule.macros, rule.lists) == (("spawned",), ("shells",))


@pytest.mark.parametrize(
    ("written", "meant"),
    [("false", False), ("no", False), ("Off", False), ("True", True), ("yes", True)],
)
def test_truth_as_yaml_spells_it(read, written, meant):
    """Falco takes all of YAML 1.1's words for it."""
    found, _ = read(BASE + f"  enabled: {written}\n  source: k8s_audit\n")

    assert found.rules["Shell by hand"].enabled is meant
    assert found.rules["Shell by hand"].source == "k8s_audit"


def test_of_a_key_that_stands_twice_the_first_holds(read):
    """As Falco reads it."""
    found, _ = read("- list: a\n  items: [first]\n  items: [second]\n")

    assert found.lists["a"].items == ("first",)


# ---------------------------------------------------------------- later files change earlier ones
def test_append_adds_to_condition_and_exceptions(read):
    """The older way: `append: true`."""
    more = """\
- list: shells
  append: true
  items: [pwsh]
- macro: spawned
  append: true
  condition: and evt.res = SUCCESS
- rule: Shell by hand
  append: true
  condition: and not proc.pname = sshd
  exceptions:
    - name: parents
      values: [[at, /var]]
    - name: users
      fields: [user.name]
      values: [[root]]
"""
    found, problems = read(BASE, more)
    rule = found.rules["Shell by hand"]

    assert not problems
    assert found.lists["shells"].items[-1] == "pwsh"
    assert found.macros["spawned"].condition.endswith("and evt.res = SUCCESS")
    assert rule.condition.endswith('= "spawned by" and not proc.pname = sshd')
    assert [(one.name, len(one.values)) for one in rule.exceptions] == [
        ("parents", 2),
        ("images", 0),
        ("users", 1),
    ]
    assert rule.exceptions[2].comparisons == ("=",)
    assert str(rule.defined).endswith("a.yaml:13")
    assert [str(place)[-8:] for place in rule.changed] == ["b.yaml:7"]


def test_override_says_key_by_key(read):
    """The newer way: each key appended to or replaced."""
    more = """\
- rule: Shell by hand
  desc: Ours.
  output: (image=%container.image.repository)
  priority: critical
  tags: [ours, shell]
  exceptions: []
  enabled: false
  override:
    desc: replace
    output: append
    priority: replace
    tags: append
    exceptions: replace
    enabled: replace
- list: shells
  items: [fish]
  override: {items: append}
- macro: spawned
  condition: evt.type = execve
  override: {condition: replace}
"""
    found, problems = read(BASE, more)
    rule = found.rules["Shell by hand"]

    assert not problems
    assert rule.description == "Ours."
    assert rule.output == (
        "Shell (user=%user.name command=%proc.cmdline) (image=%container.image.repository)"
    )
    assert (rule.priority, rule.enabled, rule.exceptions) == ("Critical", False, ())
    assert rule.tags == ("shell", "T1059", "ours")
    assert found.lists["shells"].items[-1] == "fish"
    assert found.macros["spawned"].condition == "evt.type = execve"


def test_enabled_alone_switches_a_rule(read):
    """A rule that has nothing else than `enabled` changes the one before it."""
    found, problems = read(BASE, "- rule: Shell by hand\n  enabled: false\n")

    assert not problems
    assert not found.rules["Shell by hand"].enabled
    assert found.rules["Shell by hand"].description == "A shell starts."


def test_a_second_definition_replaces_the_first(read):
    """All of it, its place too; its order stays."""
    again = "- rule: Shell by hand\n  desc: d\n  condition: c\n  output: o\n  priority: INFO\n"
    found, problems = read(BASE, again)

    assert not problems
    assert found.rules["Shell by hand"].exceptions == ()
    assert found.rules["Shell by hand"].priority == "Informational"
    assert str(found.rules["Shell by hand"].defined).endswith("b.yaml:1")


# ---------------------------------------------------------------- what is wrong
RULE = "- rule: R\n  desc: d\n  condition: c\n  output: o\n  priority: INFO\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- rule: R\n  desc: d\n", "a.yaml:1: rule 'R': no condition: write"),
        ("- rule: R\n", "rule 'R': says nothing"),
        ("- rule:\n  desc: d\n", "item: no rule"),
        (RULE.replace("INFO", "LOUD"), "rule 'R': priority 'LOUD': use one of Falco's"),
        (RULE + "  tags: shell\n", "rule 'R': tags is no list of texts"),
        (RULE + "  enabled: perhaps\n", "enabled is 'perhaps': write true or false"),
        (RULE + "  exceptions: [x]\n", "exceptions is no list of mappings"),
        (RULE + "  exceptions:\n  - name: e\n", "exception: fields is no list"),
        (RULE + "  exceptions:\n  - name: e\n    fields: [a]\n    comps: [in, in]\n", "2 comps"),
        (RULE + "  exceptions:\n  - {name: e, fields: [a], values: [[[[[x]]]]]}\n", "no lists of"),
        ("- rule: R\n  append: true\n  condition: c\n", "rule 'R': changes what is not there"),
        ("- list: l\n  append: true\n  items: [x]\n", "list 'l': changes what is not there"),
        (RULE + "- rule: R\n  append: true\n", "a.yaml:6: rule 'R': nothing to append"),
        (
            RULE + "- rule: R\n  desc: e\n  output: p\n  override: {desc: replace}\n",
            "override without 'output': name 'output' under 'override' too",
        ),
        (RULE + "- rule: R\n  override: {desc: replace}\n", "override of 'desc', which is missing"),
        (RULE + "- rule: R\n  source: x\n  override: {source: replace}\n", "override of 'source'"),
        (
            RULE + "- rule: R\n  desc: x\n  override: {desc: prepend}\n",
            "by 'prepend': append one of",
        ),
        (
            RULE + "- rule: R\n  desc: x\n  append: true\n  override: {desc: append}\n",
            "leave out 'append: true'",
        ),
        (
            RULE + RULE.replace("desc", "source: okta\n  desc"),
            "source 'okta': give it another name",
        ),
        ("- list: l\n  items: [[x]]\n", "list 'l': items is no list of texts"),
        ("- lists: l\n  items: [x]\n", "of no known kind: begin it with 'rule:'"),
        ("- just text\n", "a.yaml:1: no item"),
        ("customRules:\n  mine.yaml: x\n", "a.yaml:1: no list of rules: give the file"),
        ("- rule: [\n", "correct the YAML"),
        ("- list: &a [*a]\n  items: [x]\n", "correct the YAML"),
        (b"- list: \xff\n", "correct the YAML"),
        (b"- list: " + b"[" * 50_000, "correct the YAML"),
    ],
)
def test_what_is_wrong_is_said(read, text, said):
    """File, line, what, and what to do."""
    _, problems = read(text)

    (message,) = wrong(problems)
    assert said in message


def test_one_wrong_item_costs_itself_only(read):
    """What is good around it is kept."""
    found, problems = read("- list: a\n  items: x\n" + RULE, "[", BASE)

    assert [*found.rules] == ["R", "Shell by hand"]
    assert len(problems) == 2


def test_a_wrong_change_changes_nothing(read):
    """No half of an override is applied."""
    more = "- rule: R\n  desc: new\n  priority: LOUD\n"
    found, _ = read(RULE, more + "  override: {desc: replace, priority: replace}\n")

    assert (found.rules["R"].description, found.rules["R"].changed) == ("d", ())


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    """A misspelt path is the caller's to mend."""
    with pytest.raises(SourceError, match=r"no\.yaml: No such file"):
        read_rules([tmp_path / "no.yaml"])


def test_tags_of_python_make_no_objects(read):
    """A rules file is data: what YAML could build besides is not built."""
    found, problems = read("- list: l\n  items: !!python/object/apply:os.getcwd []\n")

    assert not problems
    assert found.lists["l"].items == ()


def test_empty_files_and_items_are_nothing(read):
    """As Falco reads them."""
    found, problems = read("", "---\n---\n- \n-\n", "# only a remark\n")

    assert not found.rules
    assert not problems


TEXT = st.text(alphabet="- :[]{}'\"&*!|>#\nabrule,listemsxco", max_size=80)


@given(st.lists(TEXT.map(str.encode) | st.binary(max_size=60), max_size=2))
def test_no_file_stops_the_reading(tmp_path_factory, contents):
    """Whatever the bytes: rules or problems, never an exception; and files are read one by one."""
    folder = tmp_path_factory.mktemp("rules")
    files = [folder / f"{number}.yaml" for number in range(len(contents) + 1)]
    for file, content in zip(files, (*contents, RULE.encode()), strict=True):
        file.write_bytes(content)

    found, _ = read_rules(files)

    assert found.rules["R"].output == "o"
