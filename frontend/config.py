"""Settings: `weft.config`, in the manner of JAX's.

Each option has a name, a default, and a variable `WEFT_<NAME>` in the environment. `config.update("enable_x64", True)` sets one (JAX's names, `jax_enable_x64`, work too);
reading is an attribute: `config.enable_x64`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

_BOOLEANS = {"1": True, "true": True, "on": True, "yes": True, "0": False, "false": False, "off": False, "no": False}


class Config:
    """The settings of this process.

    enable_x64      Python floats and ints become 64-bit arrays, and 64-bit dtypes stay what they are (default: 32-bit).
    debug_nans      Every computed array is checked for NaN: FloatingPointError.
    disable_jit     `jit` calls the function as it is.
    """

    enable_x64: bool
    debug_nans: bool
    disable_jit: bool

    def __init__(self) -> None:
        self._listeners: list[Callable[[], None]] = []
        for name in ("enable_x64", "debug_nans", "disable_jit"):
            text = os.environ.get(f"WEFT_{name.upper()}", "0").lower()
            if text not in _BOOLEANS:
                raise ValueError(f"WEFT_{name.upper()}={text}: expected one of {', '.join(_BOOLEANS)}")
            setattr(self, name, _BOOLEANS[text])

    def update(self, name: str, value: Any) -> None:
        """Sets an option. Raises AttributeError if there is none of this name, TypeError if the value is not of its type."""
        option = name.removeprefix("jax_").removeprefix("weft_")
        if option.startswith("_") or option not in self.__dict__:
            known = ", ".join(k for k in self.__dict__ if not k.startswith("_"))
            raise AttributeError(f"Unrecognized config option: {name}. Known are {known}.")
        if not isinstance(value, bool):
            raise TypeError(f"config.update: option {name} takes a bool, got {value!r}")
        setattr(self, option, value)
        for changed in self._listeners:
            changed()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Calls `listener` whenever an option was set."""
        self._listeners.append(listener)


config = Config()


def _switch(option: str, doc: str) -> Callable[[bool], Any]:
    @contextmanager
    def switch(value: bool = True) -> Generator[None]:
        before = getattr(config, option)
        config.update(option, value)
        try:
            yield
        finally:
            config.update(option, before)

    switch.__name__ = switch.__qualname__ = option
    switch.__doc__ = doc
    return switch


enable_x64 = _switch("enable_x64", "`with enable_x64():` 64-bit types within.")
disable_jit = _switch(
    "disable_jit", "`with disable_jit():` functions run uncompiled, so that their values can be printed."
)
debug_nans = _switch("debug_nans", "`with debug_nans():` a NaN that is computed raises FloatingPointError.")
