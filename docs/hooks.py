"""What mkdocs does besides: pages about modules, notebooks from their folder, formulas."""

import html
import re
from pathlib import Path

import griffe
from latex2mathml.converter import convert
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File

ROOT = Path(__file__).parent.parent
NOTEBOOKS = "notebooks"

# Markdown pages have their formulas in these elements, notebooks between dollars.
MARKED = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
DOLLARS = re.compile(r"\$\$(.+?)\$\$|\$([^\s$](?:[^$]*[^\s$])?)\$", re.DOTALL)
FOREIGN = re.compile(r"(?is)<script\b(?:(?!</script>).)*?(?:mathjax|mermaid).*?</script>")
NO_FORMULAS = re.compile(r"(<(pre|code|script|style|svg)\b.*?</\2>|<[^>]*>)", re.DOTALL)


@event_priority(100)  # before notebooks are looked for
def on_files(files, config):
    """The pages that the navigation names and that lie elsewhere."""
    package = griffe.load("qtd", search_paths=[ROOT])
    for path in paths(config.nav):
        if path.startswith("api/qtd"):
            text = page_of(package, path.removeprefix("api/").removesuffix(".md"))
            files.append(File.generated(config, path, content=text))
        elif path.startswith(NOTEBOOKS):
            files.append(File(path, str(ROOT), config.site_dir, config.use_directory_urls))
    return files


def on_page_content(content, page, **kwargs):
    """The page with its formulas as MathML, which browsers draw without help."""
    if page.file.src_uri.endswith(".ipynb"):
        return in_text(FOREIGN.sub("", content))  # scripts that would ask a network
    return MARKED.sub(lambda found: mathml(found[2], found[1] == "div"), content)


def paths(nav):
    """All pages that a navigation names."""
    for entry in nav:
        if isinstance(entry, str):
            yield entry
        else:
            for inside in entry.values():
                yield from [inside] if isinstance(inside, str) else paths(inside)


def page_of(package, name):
    """The text of a page about the public module of this name: all that it lists in `__all__`."""
    module = package if name == package.path else package[name.removeprefix("qtd.")]
    home = [each for each in names(module) if public_home(module, each) is None]
    links = {each: public_home(module, each) for each in names(module) if each not in home}
    text = f"---\ntitle: {name}\n---\n\n::: {name}\n"
    text += f"    options:\n      members: {home or 'false'}\n"
    if links:
        rows = "\n".join(f"- [`{each}`][{target}]" for each, target in links.items())
        text += f"\n## Described elsewhere {{ #{name}-elsewhere }}\n\n{rows}\n"
    return text


def names(module):
    """What a module lists in `__all__`."""
    return [str(name) for name in module.exports or ()]


def public_home(module, name):
    """Where something that a module lists is described, if on the page of another one."""
    thing = module.members.get(name)
    if thing is None:  # a module that is imported when it is used
        return f"{module.path}.{name}"
    thing = thing.final_target if thing.is_alias else thing
    target = thing.path
    if thing.is_module:
        return target
    elsewhere = target.rpartition(".")[0]
    hidden = any(part.startswith("_") for part in elsewhere.split("."))
    return None if hidden or elsewhere == module.path else target


def in_text(content):
    """HTML with the formulas between dollars as MathML, but for those in code."""
    pieces = re.split(NO_FORMULAS, content)
    del pieces[2::3]
    pieces[::2] = [DOLLARS.sub(from_dollars, piece) for piece in pieces[::2]]
    return "".join(pieces)


def from_dollars(found):
    return mathml(found[1] or found[2], found[1] is not None)


def mathml(latex, block):
    """A formula of LaTeX, escaped as in HTML, as MathML."""
    made = convert(html.unescape(latex.strip()), display="block" if block else "inline")
    return f'<div class="formula">{made}</div>' if block else made
