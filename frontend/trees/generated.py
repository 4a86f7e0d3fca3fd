"""A structure as Python code: the functions that take a tree of just this structure apart (`match`) and build it (`unflatten`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from weft.trees.registry import KINDS

if TYPE_CHECKING:
    from weft.trees.structure import Leaves, PyTreeDef


def write_match(treedef: PyTreeDef) -> Callable[[Any], Leaves | None]:
    """`match` as Python code: checks of types and lengths, and what lies at the leaves."""
    names: dict[str, Any] = {}
    lines: list[str] = []
    leaves: list[str] = []

    def name(value: Any) -> str:
        names[key := f"c{len(names)}"] = value
        return key

    def take(t: PyTreeDef, x: str) -> None:
        if t._type is None:
            leaves.append(x)
            return
        if t._type is type(None):
            lines.append(f"if {x} is not None: return None")
            return
        lines.append(f"if {x}.__class__ is not {name(t._type)}: return None")
        parts = [f"{x}_{i}" for i in range(len(t._children))]
        unpacked = f"[{', '.join(parts)}]"
        if t._type is dict:
            lines.append(f"if len({x}) != {len(parts)}: return None")
            lines.extend(f"{p} = {x}[{name(k)}]" for p, k in zip(parts, t._data, strict=True))
        else:
            source = x
            if not (issubclass(t._type, tuple) or t._type is list):
                lines.append(f"{x}, aux = {name(KINDS[t._type].flatten)}({x})")
                lines.append(f"if aux != {name(t._data)}: return None")
            lines.append(f"if len({source}) != {len(parts)}: return None")
            if parts:
                lines.append(f"{unpacked} = {source}")
        for child, part in zip(t._children, parts, strict=True):
            take(child, part)

    take(treedef, "x")
    body = "".join(f"        {line}\n" for line in lines)
    code = f"def match(x):\n    try:\n{body}        return [{', '.join(leaves)}]\n    except KeyError:\n        return None\n"
    exec(code, names)  # our own text: no user's name is in it
    return names["match"]


def write_build(treedef: PyTreeDef) -> Callable[[Leaves], Any]:
    """`unflatten` as Python code: one expression."""
    names: dict[str, Any] = {}
    count = 0

    def name(value: Any) -> str:
        names[key := f"c{len(names)}"] = value
        return key

    def build(t: PyTreeDef) -> str:
        nonlocal count
        if t._type is None:
            count += 1
            return f"l{count - 1}"
        parts = [build(c) for c in t._children]
        if t._type is type(None):
            return "None"
        if t._type is tuple:
            return f"({''.join(f'{p}, ' for p in parts)})"
        if t._type is list:
            return f"[{', '.join(parts)}]"
        if t._type is dict:
            return "{" + ", ".join(f"{name(k)}: {p}" for k, p in zip(t._data, parts, strict=True)) + "}"
        kind = KINDS[t._type]
        return f"{name(kind.unflatten)}({name(t._data)}, ({''.join(f'{p}, ' for p in parts)}))"

    result = build(treedef)
    given = "".join(f"l{i}, " for i in range(count))
    code = "def build(leaves):\n" + (f"    {given}= leaves\n" if count else "") + f"    return {result}\n"
    exec(code, names)
    return names["build"]
