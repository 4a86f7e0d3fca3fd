"""The array dialect: what is computed. One class per primitive (`ops/`), on nodes while a program is traced and in the IR afterwards.

`Array`, the dialect that `xdsl-opt` loads, is made when it is first asked for: importing a module of this package must not import all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xdsl.ir import Dialect

    from weft.dialects.array.op import ArrayOp

    Array: Dialect


def all_ops() -> Sequence[type[ArrayOp]]:
    """Every primitive, in the order of their definition: the classes are the registry."""
    for module in ("constant", "ops"):  # these define them
        import_module(f"weft.dialects.array.{module}")
    from weft.dialects.array.op import ArrayOp

    def below(cls: type[ArrayOp]) -> Iterator[type[ArrayOp]]:
        for sub in cls.__subclasses__():
            if "name" in sub.__dict__ and sub.__module__.startswith("weft."):
                yield sub
            yield from below(sub)

    return list(below(ArrayOp))


def __getattr__(name: str) -> Any:
    if name != "Array":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from xdsl.ir import Dialect

    ops = all_ops()
    from weft.dialects.array.control import YieldOp

    globals()["Array"] = dialect = Dialect("array", [*ops, YieldOp], [])
    return dialect
