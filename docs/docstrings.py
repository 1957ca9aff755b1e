"""Docstrings as Markdown: their examples as code, names as links, and no HTML by accident."""

import re

import griffe

KEPT = re.compile(r"(```.*?```|\$\$.*?\$\$|`[^`]*`|^ {4,}[^\n]*$)", re.DOTALL | re.MULTILINE)
EXAMPLE = re.compile(r"(?:^>>> .*\n?(?:^(?!>>> )\S.*\n?|^ .*\n?)*)+", re.MULTILINE)
LIST = re.compile(r"^(?![-\s]|\*\*)(.+)\n(?=- )", re.MULTILINE)
NAME = re.compile(r"`(qtd(?:\.\w+)+)`")
LINK = '<autoref identifier="{0}" optional><code>{0}</code></autoref>'


class Docstrings(griffe.Extension):
    """Rewrites the docstring of every object."""

    def on_object(self, *, obj: griffe.Object, **kwargs) -> None:
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """A docstring of this library as Python-Markdown has it."""
    text = EXAMPLE.sub(lambda example: f"```pycon\n{example[0].rstrip()}\n```\n", text)
    pieces = KEPT.split(LIST.sub(r"\1\n\n", text))
    pieces[::2] = [re.sub(r"<(?=[\w<!/?])", "&lt;", piece) for piece in pieces[::2]]
    pieces[1::2] = [linked(piece) for piece in pieces[1::2]]
    return "".join(pieces)


def linked(code: str) -> str:
    """A name of this library in backticks, as a link to where it is described, if it is."""
    name = NAME.fullmatch(code)
    return LINK.format(name[1]) if name else code
