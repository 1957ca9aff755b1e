"""Docstrings as Markdown: their examples as code, names as links, and no HTML by accident."""

import ast
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

    def on_class_members(self, *, cls: griffe.Class, **kwargs) -> None:
        public = [each for name, each in cls.members.items() if not name.startswith("_")]
        attributes = [each for each in public if each.is_attribute]
        if any(str(base).endswith("Enum") for base in cls.bases):
            described = [each for each in attributes if isinstance(each.value, griffe.ExprTuple)]
            for member in described:
                describe(member)
            plain = [each for each in attributes if each.annotation is None and each.value]
            add(cls, [] if described else [f"{each.name} = {each.value}" for each in plain])
        elif "__init__" not in cls.members:
            add(cls, [declaration(each) for each in attributes if is_field(each)])


def is_field(attribute: griffe.Attribute) -> bool:
    """Whether an attribute is one that each object of a class is made with."""
    kind = "" if "property" in attribute.labels else str(attribute.annotation or "")
    return bool(kind) and "ClassVar" not in kind and "AbstractVar" not in kind


def declaration(field: griffe.Attribute) -> str:
    """A field as its class declares it, but for what only the library needs to know."""
    default = "" if field.value is None or "field(" in str(field.value) else f" = {field.value}"
    return f"{field.name}: {field.annotation}{default}"


def add(cls: griffe.Class, lines: list[str]) -> None:
    """What the objects of a class hold, below its docstring."""
    if lines and cls.docstring:
        cls.docstring.value += "\n\n```python\n" + "\n".join(lines) + "\n```\n"


def describe(member: griffe.Attribute) -> None:
    """A member of an enumeration: its value is the code, the text beside it the description."""
    code, *_, text = ast.literal_eval(re.sub(r"\b[A-Z]\w*\.\w+", "None", str(member.value)))
    member.value = str(code)
    member.docstring = griffe.Docstring(text[0].upper() + text[1:] + ".", parent=member)


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
