"""Ways out: alert text leaves the kit by the doors named here, and by no other.

Each kind of door (HTML, drawing, terminal, shell, SQL, tables of a spreadsheet, files, code) has
the places that may use it. Who opens a new one fails here: escape at the door, by `quoting`, and
then name it.
"""

from __future__ import annotations

import ast
import re

import pytest

from .conftest import ROOT

PACKAGE = ROOT / "analysis"
SOURCES = {str(p.relative_to(PACKAGE)): p.read_text() for p in sorted(PACKAGE.rglob("*.py"))}
TEMPLATES = {p.name: p.read_text() for p in sorted((PACKAGE / "templates").glob("*.j2"))}

# kind of door: the names by which it is opened, and the places that may
DOORS: dict[str, tuple[str, set[str]]] = {
    "HTML marked as safe": (
        "Markup|SafeString",
        {
            "report/index.py:index",
            "report/html.py:style",
            "report/html.py:_blocks",
            "report/html.py:_output",
            "report/html.py:image",  # both parts escaped
            "report/html.py:_with_anchor",  # to take the tags off a heading
            "shown.py:lines",
            "explorer.py:_report",  # a link: address quoted, text escaped
            "views.py:paragraph",
        },
    ),
    "HTML of a notebook": (
        ("_repr_html_|_repr_markdown_|_repr_latex_|_repr_svg_|_repr_javascript_|_repr_mimebundle_"
        "|HTML|Markdown|Javascript|SVG|IFrame|Latex|HTMLMath|display|publish_display_data"),
        {"shown.py:_repr_html_", "figures/picture.py:_repr_mimebundle_", "explorer.py:_build",
         "arrangement.py:arranged",  # names of facets, escaped
         "explorer.py:_ipython_display_", "explorer.py:_report"},
    ),
    "HTML of pandas": ("to_html|to_latex|to_markdown|set_caption", set()),
    # frames that a user shows: no mathematics, and a Styler's cells escaped
    "how pandas shows frames": ("set_option|option_context", {"quoting.py:show_frames_as_text"}),
    "templates": ("Environment|from_string|get_template", {
        "quoting.py:templates", "shown.py:render", "report/warm.py:warm_up",
    }),
    "Markdown": ("html|markdown|new_markdown_cell|markdown2html|create_markdown", {
        "report/html.py:_markdown", "report/markdown.py:_parser",
        "report/writeup.py:begin",  # a cell of our own words
        "report/writeup.py:export", "report/harmless.py:_shown",  # ours, which escape
    }),
    "drawing": (
        ("text|annotate|set_title|suptitle|set_xlabel|set_ylabel|set_xticklabels|set_yticklabels"
        "|legend|figtext|table|set_label|bar_label|set_url|set_gid"),
        {"figures/picture.py:write", "report/warm.py:warm_up"},
    ),
    "terminal": ("print|secho|echo|pprint", {
        "cli.py:report", "cli.py:convert", "cli.py:explain", "cli.py:lint", "console.py:say",
        "cli.py:_show", "cli.py:incidents", "tune_command.py:tune", "cli.py:verify",
        "writeup_command.py:lab", "writeup_command.py:export",
    }),
    "shell": (
        ("system|popen|Popen|run|check_output|check_call|getoutput|spawnv|execv|execvp"
        "|create_subprocess_exec|create_subprocess_shell"),
        {"lint.py:shell_error", "report/kernels.py:__init__",
            "report/warm.py:_serve_one", "cli.py:convert", "cli.py:explain",
         "cli.py:lint", "cli.py:verify", "conversion.py:convert",
         "report/writeup.py:_print", "writeup_command.py:export"},
    ),
    "quoting for a shell": ("quote|shlex_join", {
        "quoting.py:fill", "explorer.py:_report",
        "report/markdown.py:_output",  # an address of a file
    }),
    "code": ("eval|exec|query|literal_eval|loads_pickle|import_module|__import__", {"__init__.py:__getattr__", "report/__init__.py:__getattr__", "report/warm.py:run"}),
    "code of others": ("entry_points|EntryPoint", {
        "enrichment/__init__.py:module", "enrichment/__init__.py:plugins",  # named in the call alone
    }),
    "parameters of a notebook": (
        "execute_notebook|parameterize_notebook|new_code_cell", {"report/job.py:_execute"},
    ),
    "SQL": ("sql|execute|executemany|read_sql", {"intake/duck.py:batches", "identity.py:_database", "identity.py:_digests", "verdicts.py:_add", "verdicts.py:_now",
         "verdicts.py:_rows", "verdicts.py:mark"}),
    "spreadsheets": ("to_csv|to_excel|writerow|writerows|DictWriter", {"quoting.py:to_csv"}),
}  # fmt: skip


def calls(source: str):
    """Yield (function, name, node): each call and each special method, and where it stands."""

    def walk(node: ast.AST, function: str):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                if child.name.startswith("_repr_"):
                    yield child.name, child.name, child
                yield from walk(child, child.name)
                continue
            if isinstance(child, ast.Call):
                name = getattr(child.func, "attr", getattr(child.func, "id", ""))
                yield function, name, child
            yield from walk(child, function)

    yield from walk(ast.parse(source), "module")


def is_own(node: ast.AST) -> bool:
    """Return whether a call names a function of ours, not a method of a library's object."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


@pytest.mark.parametrize("kind", DOORS)
def test_only_known_places_open_a_door(kind):
    """A new way out of the package is looked at before it is used."""
    pattern, allowed = DOORS[kind]
    found = {
        f"{file}:{function}"
        for file, source in SOURCES.items()
        for function, name, node in calls(source)
        if re.fullmatch(pattern, name)
        # `text(…)` and `table(…)` are cells of ours, `to_csv(…)` is the door's own keeper
        and not (is_own(node) and kind in ("drawing", "spreadsheets"))
        and (kind != "drawing" or "matplotlib.figure" in source)
    }

    assert found <= allowed, f"{kind}: new in {sorted(found - allowed)}"
    assert allowed <= found, f"{kind}: no longer in {sorted(allowed - found)}"


def test_what_is_printed_is_visible():
    """Each line for the terminal is `visible(...)`; explain's is made so, line by line."""
    for function, name, node in calls(SOURCES["cli.py"]):
        if name == "echo":
            (first, *_) = node.args
            called = getattr(getattr(first, "func", None), "id", "")
            assert (
                called == "visible"
                or (function, called) == ("explain", "run")
                or (
                    # JSON with all beyond ASCII escaped
                    function == "incidents" and ast.unparse(first) == "json.dumps(found, indent=1)"
                )
            ), ast.unparse(node)
    assert "visible(line" in SOURCES["explain.py"]


def test_what_is_drawn_is_visible_and_no_mathematics():
    """Text reaches matplotlib through one function, which parses no `$`; arrows have no text."""
    drawn = [one for file in SOURCES if file.startswith("figures/") for one in calls(SOURCES[file])]
    for _, name, node in drawn:
        if name == "annotate":
            assert ast.unparse(node.args[0]) == "''"
        if name == "text" and isinstance(node.func, ast.Attribute):
            assert "parse_math=False" in ast.unparse(node)


def test_no_markup_is_put_together_by_hand():
    """HTML stands in templates: no string of the package holds a tag, but for a notebook's style."""
    tags = re.compile(r"<(?:/?[a-z][a-z0-9]*)(?:\s[^<>]*)?>")
    found = set()
    for file, source in SOURCES.items():
        for node in ast.walk(ast.parse(source)):
            texts = [node] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []
            found |= {file for one in texts if tags.search(one.value)}

    # patterns that find tags or headings; the style; placeholders in docstrings
    assert found <= {
        "report/html.py",
        "shown.py",
        "quoting.py",
        "explorer.py",
        "views.py",
        "arrangement.py",
        "report/harmless.py",
    } | {
        file
        for file in found
        if not re.search(r"</[a-z]|<(?:b|p|a|td|tr|div|span|img|svg)\b", SOURCES[file])
    }


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_trust_nothing(name):
    """No template lifts the escaping, runs a script, or puts a value where quotes do not hold it."""
    text = TEMPLATES[name]

    assert "autoescape" not in text
    # the index's own script, which its policy names by digest, is the one there is
    assert text.count("<script") == text.count("<script>{{ script }}</script>")
    assert not re.search(r"\son\w+=|style=\"|srcdoc|javascript:", text)
    assert not re.findall(r"\{\{[^}]*\|\s*safe\s*\}\}", text)
    # a value inside a tag stands in double quotes
    for tag in re.findall(r"<[a-z][^<>]*\{\{[^<>]*>", text):
        assert not re.search(r"=\s*\{\{", tag), tag
    # addresses: an anchor, a report's own folder, ATT&CK's page of a known id; never alert text
    assert set(re.findall(r"(?:href|src)=\"([^\"]*\{\{[^\"]*)\"", text)) <= {
        "#{{ anchor }}", "{{ row.link }}", "{{ one.incident_id }}/error.txt",
        "{{ one.incident_id }}/alerts.jsonl", "{{ value.links[one] }}",
    }  # fmt: skip


def test_secrets_are_redacted_in_one_place():
    """A case is made without secrets; what shows it never goes back to the bytes received."""
    callers = {file for file, source in SOURCES.items() if "from analysis.redaction" in source}
    assert callers == {"case.py", "evidence.py", "report/batch.py", "report/job.py"}
    for file, source in SOURCES.items():
        if file.startswith(("tables/", "figures/", "report/")) or file in ("shown.py", "views.py"):
            assert "raw.decode" not in source, file
            assert "redact=False" not in source, file
