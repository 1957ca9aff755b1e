"""Every public name says what it takes, holds and returns, and where it is from; and what the
examples print is true."""

import dataclasses
import doctest
import importlib
import inspect
import pkgutil
import re
import sys
import typing

import click
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import qtd


def public_modules():
    yield qtd
    for info in pkgutil.walk_packages(qtd.__path__, "qtd."):
        if not any(part.startswith("_") for part in info.name.split(".")):
            yield importlib.import_module(info.name)


MODULES = list(public_modules())
AUTHORS = (
    "Kolisnyk and Schaller|Bhandari and Jordan|Deghi and Bustos-Marun|Bustos-Marun and"
    " Calvo|the paper named"
)
each_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)


def is_ours(thing):
    return (getattr(thing, "__module__", None) or "").startswith("qtd")


def things(module):
    """The functions and classes that a module lists, and the classes that these return."""
    found = {
        name: thing
        for name in module.__all__
        if is_ours(thing := getattr(module, name))
        and callable(thing)
        and not isinstance(thing, click.Command)  # told by its options
    }
    for _, function, _ in list(functions(found)):
        found |= {kind.__name__: kind for kind in kinds(returned(function)) if is_ours(kind)}
    return found


def functions(found):
    """Name, function and the text that describes its arguments, of functions and of all methods of
    classes, inherited ones too."""
    for name, thing in found.items():
        if not inspect.isclass(thing):
            yield name, thing, inspect.getdoc(thing) or ""
            continue
        for key, method in inspect.getmembers(thing, inspect.isroutine):
            if is_ours(method) and (not key.startswith("_") or key == "__init__"):
                text = (
                    inspect.getdoc(thing)
                    if key == "__init__"
                    else f"{inspect.getdoc(method)} {inspect.getdoc(thing)}"
                )
                yield f"{name}.{key}", method, text or ""


def returned(function):
    """What a function is annotated to return, `Signature.empty` where nothing is said."""
    function = inspect.unwrap(getattr(function, "__func__", function))
    said = inspect.signature(function).return_annotation
    if isinstance(said, str):
        said = eval(said, vars(sys.modules[function.__module__]))
    return said


def kinds(annotation):
    """The classes in an annotation, such as those of a union."""
    inside = typing.get_args(annotation)
    return (
        {annotation}
        if inspect.isclass(annotation) and not inside
        else set().union(*map(kinds, inside))
    )


def fields(thing):
    return (
        [field.name for field in dataclasses.fields(thing)]
        if dataclasses.is_dataclass(thing)
        else getattr(thing, "_fields", ())
    )


def unnamed(names, text):
    return [
        name
        for name in names
        if not name.startswith("_") and not re.search(rf"\b{re.escape(name)}\b", text)
    ]


def test_every_public_module_lists_its_names_and_each_has_a_docstring():
    for module in MODULES:
        assert module.__doc__, module.__name__
        names = getattr(module, "__all__", None)
        assert names, f"{module.__name__} has no __all__"
        assert sorted(names) == sorted(set(names)), module.__name__
        for name in names:
            thing = getattr(module, name)
            if inspect.ismodule(thing) or inspect.isclass(thing) or callable(thing):
                assert inspect.getdoc(thing), f"{module.__name__}.{name}"
                assert not str(inspect.getdoc(thing)).startswith(f"{name}("), (
                    f"{module.__name__}.{name} has no docstring of its own"
                )


@each_module
def test_public_methods_and_properties_have_docstrings(module):
    for name, thing in things(module).items():
        for key, member in vars(thing).items() if inspect.isclass(thing) else ():
            if not key.startswith("_") and (
                inspect.isroutine(member) or isinstance(member, property)
            ):
                assert inspect.getdoc(getattr(thing, key)), f"{name}.{key}"


@each_module
def test_every_argument_is_named(module):
    missing = {}
    for name, function, text in functions(things(module)):
        arguments = [
            argument
            for argument in inspect.signature(function).parameters
            if argument not in ("self", "cls")
        ]
        missing |= {name: lost} if (lost := unnamed(arguments, text)) else {}
    assert not missing


@each_module
def test_every_field_is_named(module):
    holders = {
        name: unnamed(fields(thing), inspect.getdoc(thing) or "")
        for name, thing in things(module).items()
        if fields(thing)
    }
    assert not {name: lost for name, lost in holders.items() if lost}


@each_module
def test_every_function_says_what_it_returns(module):
    """In its annotation, with shapes; an implementation may leave that to the interface."""
    found, silent = things(module), []
    for name, function, _ in functions(found):
        holder, _, key = name.rpartition(".")
        interfaces = (
            [vars(base)[key] for base in found[holder].__mro__ if key in vars(base)]
            if holder
            else []
        )
        if key != "__init__" and all(
            returned(f) is inspect.Signature.empty for f in (function, *interfaces)
        ):
            silent.append(name)
    assert not silent


@each_module
def test_machines_name_their_source(module):
    if not module.__name__.startswith("qtd.machines."):
        return
    assert re.search(AUTHORS, module.__doc__), module.__name__
    for name, thing in things(module).items():
        if issubclass(thing, qtd.machines.AbstractMachine):
            assert "**Source:**" in (inspect.getdoc(thing) or ""), name


def examples():
    """Of all modules, private ones too; each knows `jax`, `jnp`, `np` and `qtd`, and no more."""
    for info in pkgutil.walk_packages(qtd.__path__, "qtd."):
        if not info.name.endswith("__main__"):
            module = importlib.import_module(info.name)
            known = {"jax": jax, "jnp": jnp, "np": np, "qtd": qtd}
            yield from (
                example
                for example in doctest.DocTestFinder().find(module, globs=known)
                if example.examples
            )


@pytest.mark.deep
@pytest.mark.quick
@pytest.mark.timeout(600)  # all of them in one go, as they share what is compiled
def test_the_examples_print_what_they_say(users_configuration):
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    told = []
    for example in examples():
        runner.run(example, out=told.append)
    assert not runner.failures, "".join(told)
    assert runner.tries > 80
