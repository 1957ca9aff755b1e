"""Every public name says what it takes, holds and returns, and what its examples print is true."""

import dataclasses
import inspect
import re
from typing import Any

import equinox as eqx
import pytest
from test_architecture import public_modules

MODULES = list(public_modules())


def things(module):
    """Functions and classes of qtd that a module lists, by name."""
    for name in module.__all__:
        thing = getattr(module, name)
        if not inspect.ismodule(thing) and getattr(thing, "__module__", "").startswith("qtd"):
            yield name, thing


def callables(name, thing):
    """What a user may call: name, function and the text that describes its arguments; of a class its constructor and own methods."""
    text = inspect.getdoc(thing) or ""
    if not inspect.isclass(thing):
        if inspect.isroutine(thing):
            yield name, thing, text
        return
    if "__init__" in vars(thing) and "__init__" not in getattr(thing, "__dataclass_fields__", {}):
        yield name, thing.__init__, text
    for key, member in vars(thing).items():
        member = getattr(thing, key) if isinstance(member, classmethod | staticmethod) else member
        if not key.startswith("_") and inspect.isroutine(member):
            yield f"{name}.{key}", member, f"{inspect.getdoc(getattr(thing, key))} {text}"


def fields(thing):
    if inspect.isclass(thing):
        return [field.name for field in dataclasses.fields(thing)] if dataclasses.is_dataclass(thing) else getattr(thing, "_fields", ())
    return ()


def unnamed(names, text):
    return [name for name in names if not name.startswith("_") and not re.search(rf"\b{re.escape(name)}\b", text)]

if __name__=="__main__":
    pub=set()
    for m in MODULES:
        for n,t in things(m): pub.add(t)
    seen=set()
    for m in MODULES:
        for n,t in things(m):
            if id(t) in seen: continue
            seen.add(id(t))
            miss=unnamed(fields(t), inspect.getdoc(t) or "")
            if miss: print("FIELD", m.__name__,n,miss)
            for nm,f,text in callables(n,t):
                ps=[p for p in inspect.signature(f).parameters if p not in("self","cls")]
                miss=unnamed(ps,text)
                if miss: print("ARG",m.__name__,nm,miss)
                r=inspect.signature(f).return_annotation
                if r is inspect.Signature.empty and not nm==n: print("RET", m.__name__, nm)
