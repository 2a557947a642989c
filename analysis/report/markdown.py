"""A notebook as one Markdown file, for a ticket or a wiki.

In: a notebook as `harmless` returns it. Out: Markdown (CommonMark with GitHub's tables) and the
pictures that it names, as files beside it: ticket systems and wikis take no picture inside the
text. No alert text is Markdown: values stand as code, words are escaped, and what a wiki would
make a link or call somebody by (addresses, names with `@`, numbers with `#`) stands as code, too.
An analyst's own cells are kept, but for HTML in them, which becomes text. Code is left out.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import mistune

from analysis.characters import write_out
from analysis.report.html import joined, shown_source

_LIVE = re.compile(r"[@#]|:/|^/|\w\.[A-Za-z]")
_EDGES = re.compile(r"([\"'“”(\[{⟨]*)(.*?)([\"'“”)\]}⟩,;:.!?…]*)", re.DOTALL)
_SIGNS = re.compile(r"[\\`*{}\[\]<>|~$#@^]|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])")
_START = re.compile(r"\A(?:([-+=:/])|(\d+)(?=[.)]))")
_CODE = re.compile(
    r"^(?P<fence>`{3,}|~{3,}).*?(?:^(?P=fence)|\Z)|(?<!`)(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)"
    r"|\\.|<(?=https?://[^\s<>]*>)|(?P<tag><(?=[A-Za-z/!?]))",
    re.DOTALL | re.MULTILINE,
)


def markdown(notebook: Any, folder: str) -> tuple[str, dict[str, bytes]]:
    """Return the notebook as Markdown, and the files of its pictures.

    Parameters
    ----------
    notebook : NotebookNode
        As `harmless` returns it.
    folder : str
        Where the pictures will be, as the Markdown names it.
    """
    blocks: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            blocks.append(own(cell.source).strip())
        elif cell.cell_type == "code":
            for output in cell.outputs:
                blocks += _output(output.data, pictures, folder)
    return "\n\n".join(filter(None, blocks)) + "\n", pictures


def own(source: str) -> str:
    """Return an analyst's Markdown with the HTML in it made text."""
    source = shown_source(source)
    told = _CODE.sub(lambda match: r"\<" if match["tag"] else match[0], source)
    # what is code and what is not is for a parser to say; where it sees HTML still, none is kept
    return source.replace("<", "&lt;") if _holds_html(_parser()(told)) else told


def words(text: str) -> str:
    """Return text as Markdown that shows it and does nothing."""
    return " ".join(map(_word, text.split()))


def code(text: str) -> str:
    """Return text as a code span; a `|`, which would end a cell of a table, stands between two."""
    shown = " ".join(write_out(line) for line in text.split("\n"))
    return r"\|".join(_span(part) for part in shown.split("|"))


def fenced(text: str) -> str:
    """Return lines as a block of code."""
    lines = [write_out(line) for line in text.split("\n")]
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}text", *lines, fence])


def _output(data: Any, pictures: dict[str, bytes], folder: str) -> list[str]:
    if "text/html" in data:
        writer = _Writing()
        writer.feed(joined(data["text/html"]))
        writer.close()
        writer.end_block()
        return writer.blocks
    if "image/svg+xml" in data:
        svg = joined(data["image/svg+xml"])
        name = f"figure-{len(pictures) + 1}.svg"
        pictures[name] = svg.encode()
        label = re.search(r'aria-label="([^"]*)"', svg)
        return [f"![{words(_unescaped(label[1]) if label else name)}]({quote(f'{folder}/{name}')})"]
    return [fenced(joined(data.get("text/plain", "")).rstrip("\n"))]


def _unescaped(text: str) -> str:
    import html  # noqa: PLC0415 - named like ours

    return html.unescape(text)


def _word(word: str) -> str:
    before, middle, after = _EDGES.fullmatch(word).groups()  # type: ignore[union-attr] # any text
    if after[:1] == "]" and "[" in middle:
        middle, after = f"{middle}]", after[1:]
    told = code(middle) if _LIVE.search(middle) else _escaped(middle)
    return _escaped(before) + told + _escaped(after)


def _escaped(text: str) -> str:
    # each sign of ASCII may be escaped (CommonMark 2.4); these begin something
    return _SIGNS.sub(r"\\\g<0>", write_out(text))


def _span(text: str) -> str:
    if not text.strip():
        return text
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def _parser() -> Any:
    return mistune.create_markdown(renderer=None, plugins=["strikethrough", "table"])


def _holds_html(tokens: Any) -> bool:
    return any(
        token["type"] in ("block_html", "inline_html") or _holds_html(token.get("children", []))
        for token in tokens
    )


_BLOCKS = frozenset({"p", "div", "section", "h3", "ul", "ol", "table", "pre"})


class _Writing(HTMLParser):
    """Writes HTML as `harmless` leaves it: paragraphs, lists, tables, code."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[str] = []
        self._line: list[str] = []
        self._code: list[str] | None = None
        self._pre, self._quoted = False, 0
        self._lists: list[list[int]] = []
        self._last = ""
        self._aside = 0
        self._rows: list[list[str]] | None = None
        self._links: list[str] = []

    def end_block(self, start: str = "", *, as_it_is: str = "") -> None:
        """End a paragraph, an item or a heading, if anything was said."""
        said = as_it_is or _START.sub(_first, re.sub(r"\s+", " ", "".join(self._line)).strip())
        self._line.clear()
        if not said:
            return
        mark = "> " if self._quoted else ""
        block = "\n".join(f"{mark}{line}".rstrip() for line in f"{start}{said}".split("\n"))
        kind = mark + ("item" if self._lists else "")
        if kind and kind == self._last:
            self.blocks[-1] += ("\n" if self._lists else "\n>\n") + block
        elif mark and self._last.startswith(mark):
            self.blocks[-1] += f"\n>\n{block}"
        else:
            self.blocks.append(block)
        self._last = kind

    def _say(self, text: str) -> None:
        """Go on with the line; two pieces of code do not touch, they would be one."""
        apart = text[:1] == "`" and "".join(self._line)[-1:] == "`"
        self._line.append(f" {text}" if apart else text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kind = (dict(attrs).get("class") or "").split()
        if self._rows is not None:
            self._start_in_table(tag)
        elif tag in _BLOCKS:
            self.end_block()
            self._quoted += tag == "section" and "playbook" in kind
            self._lists += [[0] if tag == "ol" else []] if tag in ("ul", "ol") else []
            self._rows = [] if tag == "table" else None
        elif tag == "br":
            self._say(" ")
        if tag == "pre" or (tag == "code" and not self._pre):
            self._pre, self._code = tag == "pre", []
        elif tag in ("strong", "b") and self._code is None:
            self._say("**")
        elif tag == "a":
            self._links.append(dict(attrs).get("href") or "")
            self._say("[" if self._links[-1] else "")
        elif tag == "span" and "origin" in kind:
            self._aside = len(self._line) + 1

    def _start_in_table(self, tag: str) -> None:
        if tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in ("br", "li") and "".join(self._line).strip():
            self._say("; ")
        elif tag in ("td", "th"):
            self._line.clear()

    def handle_endtag(self, tag: str) -> None:
        if tag in ("pre", "code"):
            self._end_code(tag)
        elif tag in ("strong", "b") and self._code is None:
            self._say("**")
        elif tag == "a" and self._links:
            address = self._links.pop()
            self._say(f"]({address})" if address else "")
        elif tag == "span" and self._aside:
            self._end_aside()
        elif self._rows is not None:
            self._end_in_table(tag)
        elif tag == "li" and self._lists:
            self._lists[-1] = [number + 1 for number in self._lists[-1]]
            self.end_block(f"{self._lists[-1][0]}. " if self._lists[-1] else "- ")
        elif tag in _BLOCKS:
            self.end_block("### " if tag == "h3" else "")
            self._quoted = max(0, self._quoted - (tag == "section"))
            if tag in ("ul", "ol"):
                self._lists, self._last = self._lists[:-1], ""

    def _end_code(self, tag: str) -> None:
        if self._code is None or (tag == "code" and self._pre):
            return
        told, self._code = "".join(self._code), None
        if tag == "code":
            self._say(code(told))
            return
        self._pre = False
        # a table has no room for lines of code
        if self._rows is None:
            self.end_block(as_it_is=fenced(told.rstrip("\n")))
        else:
            self._say(code(told))

    def _end_aside(self) -> None:
        """Put in brackets what a page shows paler, such as where a value was read."""
        at = self._aside - 1
        said = "".join(self._line[at:]).strip()
        del self._line[at:]
        self._aside = 0
        if said:
            self._say(" " + (said if said.startswith(r"\[") else f"({said})"))

    def _end_in_table(self, tag: str) -> None:
        if self._rows is None:
            return
        if tag in ("td", "th") and self._rows:
            self._rows[-1].append(re.sub(r"\s+", " ", "".join(self._line)).strip())
            self._line.clear()
        elif tag == "caption":
            rows, self._rows = self._rows, None
            self.end_block()
            self._rows = rows
        elif tag == "table":
            rows, self._rows = [row for row in self._rows if row], None
            self._line.clear()
            width = max(map(len, rows), default=0)
            lines = [f"| {' | '.join(row + [''] * (width - len(row)))} |" for row in rows]
            self.end_block(as_it_is="\n".join([*lines[:1], "|" + " --- |" * width, *lines[1:]]))

    def handle_data(self, data: str) -> None:
        if self._code is not None:
            self._code.append(data)
            return
        before = " " if data[:1].isspace() else ""
        after = " " if data[-1:].isspace() and data.strip() else ""
        self._say(f"{before}{words(data)}{after}")


def _first(match: re.Match[str]) -> str:
    return f"\\{match[1]}" if match[1] else f"{match[2]}\\"
