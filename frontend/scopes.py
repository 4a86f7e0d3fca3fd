"""Names for parts of a program. They stand in the location of every operation that is bound within, hence in the IR of each stage (`lower(…).as_text(debug_info=True)`), and in errors of passes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ContextDecorator
from typing import Any

from weft.dialects.array.node import scope
from weft.function import check_callable, named_after


class named_scope(ContextDecorator):
    """`with named_scope("layer 1"):`, or a decorator. Scopes within scopes are joined by slashes. Raises TypeError for a name that is no string."""

    def __init__(self, name: str):
        if not isinstance(name, str):
            raise TypeError(f"named_scope name argument must be a string, got {name!r}")
        self.name = name

    def _recreate_cm(self) -> named_scope:
        return named_scope(self.name)

    def __enter__(self) -> None:
        self._scope = scope(self.name)
        self._scope.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._scope.__exit__(*error)


def named_call(fun: Callable[..., Any], *, name: str | None = None) -> Callable[..., Any]:
    """`fun`, whose operations are in a scope of its name, or of the one that is given."""
    check_callable(fun, "named_call")
    title = getattr(fun, "__name__", type(fun).__name__) if name is None else name

    def named(*args: Any, **kwargs: Any) -> Any:
        with named_scope(title):
            return fun(*args, **kwargs)

    return named_after(named, fun, "named_call")
