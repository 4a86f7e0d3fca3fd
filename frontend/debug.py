"""Looking into programs: `debug.print` and `debug.callback` see values under every transform, where and when they are computed."""

from __future__ import annotations

import logging
import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from weft.array import Array
from weft.callbacks import debug_call
from weft.function import check_callable

_LOGGER = logging.getLogger("weft.debug")


def callback(
    callback: Callable[..., Any] | None = None,
    *args: Any,
    ordered: bool = False,
    partitioned: bool = False,
    **kwargs: Any,
) -> None:
    """Calls `callback(*args, **kwargs)` with arrays whenever the program passes here. What it returns is dropped.

    Under vmap it is called for each example, under a derivative with the primal values. Calls always keep their order, so that `ordered` changes nothing; `partitioned` is about several devices, and means nothing here.
    """
    check_callable(callback, "debug.callback")
    debug_call(callback, args, kwargs)  # type: ignore[arg-type]


class _Checker(string.Formatter):
    """Finds out whether a format string takes exactly the arguments that are given, without values."""

    def format_field(self, value: Any, format_spec: str) -> str:
        return ""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        first = field_name.split(".", maxsplit=1)[0].split("[", maxsplit=1)[0]
        key: Any = int(first) if first.isdigit() else first
        return self.get_value(key, args, kwargs), key

    def convert_field(self, value: Any, conversion: Any) -> Any:
        return value

    def check_unused_args(self, used_args: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        unused = [a for i, a in enumerate(args) if i not in used_args] + [k for k in kwargs if k not in used_args]
        if unused:
            raise ValueError(f"Unused arguments to `debug.print`: {unused}. The format string has no place for them.")


def _printer(fmt: str, out: Callable[[str], Any]) -> Callable[..., None]:
    def show(*args: Any, **kwargs: Any) -> None:
        values = [_plain(a) for a in args]
        out(fmt.format(*values, **{k: _plain(v) for k, v in kwargs.items()}))

    return show


def _plain(x: Any) -> Any:
    return x.item() if isinstance(x, Array) and not x.shape else x


def print(
    fmt: Any = None,
    *args: Any,
    ordered: bool = False,
    partitioned: bool = False,
    skip_format_check: bool = False,
    _use_logging: bool = False,
    **kwargs: Any,
) -> None:
    """Prints `fmt.format(*args, **kwargs)` with the values that arrays have when the program passes here. Raises TypeError for a `fmt` that is no string, ValueError for unused arguments."""
    if not isinstance(fmt, str):
        raise TypeError(
            f"The first argument to debug.print is expected to be a format string, got {fmt!r}. Write debug.print('{{}}', x)."
        )
    if not skip_format_check:
        _Checker().vformat(fmt, args, kwargs)
    import builtins

    debug_call(_printer(fmt, _LOGGER.info if _use_logging else builtins.print), args, kwargs)


def log(fmt: Any = None, *args: Any, **kwargs: Any) -> None:
    """As `print`, to the logger "weft.debug"."""
    print(fmt, *args, _use_logging=True, **kwargs)


def breakpoint(
    backend: str | None = None,
    *,
    filter_frames: bool = True,
    num_frames: int | None = None,
    ordered: bool = False,
    token: Any = None,
    **kwargs: Any,
) -> None:
    """Stops in Python's debugger when the program passes here."""
    import builtins

    debug_call(lambda: builtins.breakpoint(), (), {})
