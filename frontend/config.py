"""Settings: `weft.config`, in the manner of JAX's.

Each option has a name, a default, and a variable `WEFT_<NAME>` in the environment. `config.update("enable_x64", True)` sets one (JAX's names, `jax_enable_x64`, work too); reading is an attribute:
`config.enable_x64`, or `config.read("jax_enable_x64")`. Most are context managers as well: `with weft.enable_x64():`. Options of JAX that concern XLA are taken and remembered, and change nothing: `WITHOUT_EFFECT` lists them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, NamedTuple

_BOOLEANS = {"1": True, "true": True, "on": True, "yes": True, "0": False, "false": False, "off": False, "no": False}


class Option(NamedTuple):
    """An option's default, the words it takes (None: a bool), and what it does."""

    default: Any
    words: tuple[Any, ...] | None
    doc: str


MATMUL_PRECISIONS = (None, "default", "high", "highest", "bfloat16", "tensorfloat32", "float32", "bfloat16_3x")
OPTIONS = {
    "enable_x64": Option(
        False, None, "Python floats and ints become 64-bit arrays, and 64-bit dtypes stay what they are."
    ),
    "debug_nans": Option(False, None, "A NaN that is computed raises FloatingPointError."),
    "debug_infs": Option(False, None, "An infinity that is computed raises FloatingPointError."),
    "disable_jit": Option(False, None, "Functions run uncompiled, so that their values can be printed."),
    "log_compiles": Option(False, None, "Each program that is compiled is logged as a warning of the logger `weft`."),
    "numpy_rank_promotion": Option(
        "allow", ("allow", "warn", "raise"), "What happens when arrays of different ranks are broadcast."
    ),
    "numpy_dtype_promotion": Option(
        "standard", ("standard", "strict"), "`strict`: arrays of different dtypes raise TypePromotionError."
    ),
    "default_matmul_precision": Option(
        None,
        MATMUL_PRECISIONS,
        "Without effect: products are computed in the precision of their operands, the highest that JAX can be asked for.",
    ),
}
WITHOUT_EFFECT = frozenset(
    """check_tracer_leaks compilation_cache_dir enable_checks enable_compilation_cache enable_custom_prng explain_cache_misses persistent_cache_enable_xla_caches
    persistent_cache_min_compile_time_secs persistent_cache_min_entry_size_bytes threefry_partitionable traceback_filtering transfer_guard""".split()  # noqa: SIM905
)


class Config:
    """The settings of this process, an attribute for each of OPTIONS."""

    enable_x64: bool
    debug_nans: bool
    debug_infs: bool
    disable_jit: bool
    log_compiles: bool
    numpy_rank_promotion: str
    numpy_dtype_promotion: str
    default_matmul_precision: str | None

    def __init__(self) -> None:
        self._listeners: list[Callable[[], None]] = []
        for name, option in OPTIONS.items():
            setattr(self, name, _from_environment(name, option))

    def __getattr__(self, name: str) -> Any:
        """An option by the name that JAX has for it: `jax_enable_x64`."""
        if not name.startswith("jax_"):
            raise AttributeError(f"'Config' object has no attribute '{name}'")
        return getattr(self, name.removeprefix("jax_"))

    def read(self, name: str) -> Any:
        """The value of an option. Raises AttributeError if there is no option of this name."""
        return getattr(self, name.removeprefix("jax_"))

    @property
    def x64_enabled(self) -> bool:
        """Whether there are 64-bit types."""
        return self.enable_x64

    @property
    def debug_values(self) -> bool:
        """Whether what is computed is looked at: for NaN, or for infinities."""
        return self.debug_nans or self.debug_infs

    def update(self, name: str, value: Any) -> None:
        """Sets an option; `default_device`, `platforms` and `platform_name` name a device. Raises AttributeError if there is no option of this name, TypeError or ValueError for a value that it does not take."""
        key = name.removeprefix("jax_").removeprefix("weft_")
        if key in ("default_device", "platform_name", "platforms"):
            from weft.devices import set_default_device

            set_default_device(value)
            return
        if (option := OPTIONS.get(key)) is None:
            if key not in WITHOUT_EFFECT:
                raise AttributeError(f"Unrecognized config option: {name}. Known are {', '.join(OPTIONS)}.")
        elif option.words is None and not isinstance(value, bool):
            raise TypeError(f"config.update: option {name} takes a bool, got {value!r}")
        elif option.words is not None and value not in option.words:
            raise ValueError(f"new {key} must be one of {', '.join(map(str, option.words))}, got {value!r}")
        setattr(self, key, value)
        for changed in self._listeners:
            changed()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Calls `listener` whenever an option was set."""
        self._listeners.append(listener)


def _from_environment(name: str, option: Option) -> Any:
    text = os.environ.get(f"WEFT_{name.upper()}")
    if text is None:
        return option.default
    known = dict(zip(option.words, option.words, strict=True)) if option.words else _BOOLEANS
    if text.lower() not in known:
        raise ValueError(f"WEFT_{name.upper()}={text}: expected one of {', '.join(map(str, known))}")
    return known[text.lower()]


config = Config()


def _switch(name: str) -> Callable[..., Any]:
    on = True if OPTIONS[name].words is None else OPTIONS[name].default

    @contextmanager
    def switch(new_val: Any = on) -> Generator[None]:
        before = getattr(config, name)
        config.update(name, new_val)
        try:
            yield
        finally:
            config.update(name, before)

    switch.__name__ = switch.__qualname__ = name
    switch.__doc__ = f"Within `with {name}(…):` the option `{name}` has the value given. {OPTIONS[name].doc}"
    return switch


enable_x64 = _switch("enable_x64")
debug_nans = _switch("debug_nans")
debug_infs = _switch("debug_infs")
log_compiles = _switch("log_compiles")
numpy_rank_promotion = _switch("numpy_rank_promotion")
numpy_dtype_promotion = _switch("numpy_dtype_promotion")
default_matmul_precision = _switch("default_matmul_precision")
_disable_jit = _switch("disable_jit")


def disable_jit(disable: bool = True) -> Any:
    """Within `with disable_jit():` functions run uncompiled, so that their values can be printed."""
    return _disable_jit(disable)
