"""A compiled program as bytes for a file, and back: JSON, in which a kernel stands once however often it is launched.

Nothing in a file is run or imported by reading it: only the classes named here are made, of numbers, strings and bytes.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import fields, is_dataclass
from typing import Any

from weft.backends.webgpu.steps import Copy, Kernel, Launch, Program, Region, Repeat, Switch, While

CLASSES: dict[str, type[Any]] = {c.__name__: c for c in (Launch, Copy, Repeat, Region, While, Switch, Program)}


def pack(program: Program) -> bytes:
    """The bytes of a program."""
    kernels: dict[Kernel, int] = {}

    def plain(value: Any) -> Any:
        match value:
            case Kernel() if value not in kernels:
                kernels[value] = len(kernels)
                return {"kernel": kernels[value], "is": [plain(getattr(value, f.name)) for f in fields(value)]}
            case Kernel():
                return {"kernel": kernels[value]}
            case tuple():
                return {"tuple": [plain(v) for v in value]}  # pyright: ignore[reportUnknownVariableType]
            case list():
                return [plain(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
            case dict():
                return {"dict": [[plain(k), plain(v)] for k, v in value.items()]}  # pyright: ignore[reportUnknownVariableType]
            case bytes():
                return {"bytes": b64encode(value).decode()}
            case None | bool() | int() | str():
                return value
            case _ if is_dataclass(value) and type(value) in CLASSES.values():
                return {"class": type(value).__name__, "of": [plain(getattr(value, f.name)) for f in fields(value)]}
        raise TypeError(f"a program cannot hold a {type(value).__name__}")

    return json.dumps(plain(program), separators=(",", ":")).encode()


def unpack(data: bytes) -> Program:
    """The program that was packed. Raises ValueError for bytes that are none."""
    kernels: list[Kernel] = []

    def made(value: Any) -> Any:
        match value:
            case {"kernel": int(number), "is": list(parts)}:
                kernels.append(Kernel(*map(made, parts)))  # pyright: ignore[reportUnknownArgumentType]
                return kernels[number]
            case {"kernel": int(number)}:
                return kernels[number]
            case {"tuple": list(parts)}:
                return tuple(map(made, parts))  # pyright: ignore[reportUnknownArgumentType]
            case {"dict": list(pairs)}:
                return {made(k): made(v) for k, v in pairs}
            case {"bytes": str(text)}:
                return b64decode(text, validate=True)
            case {"class": str(name), "of": list(parts)}:
                return CLASSES[name](*map(made, parts))  # pyright: ignore[reportUnknownArgumentType]
            case list():
                return [made(v) for v in value]  # pyright: ignore[reportUnknownVariableType]
            case None | bool() | int() | str():
                return value
        raise ValueError(f"no part of a program: {value!r:.60}")

    try:
        program = made(json.loads(data))
    except (KeyError, IndexError, TypeError, RecursionError) as error:
        raise ValueError(f"no program: {error}") from error
    if not isinstance(program, Program):
        raise ValueError("no program")
    return program
