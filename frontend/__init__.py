"""weft: JAX-style arrays and transforms, compiled for WebGPU and WebAssembly.

The names of this module are JAX's: `import weft as jax` works. Libraries (`weft.numpy`, `weft.lax`, `weft.nn`, `weft.random`, `weft.optim`) are imported when they are first
named.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from weft import errors as errors
from weft import tree as tree
from weft import tree_util as tree_util
from weft.array import Array as Array
from weft.autodiff import grad as grad
from weft.autodiff import hessian as hessian
from weft.autodiff import jacfwd as jacfwd
from weft.autodiff import jacrev as jacrev
from weft.autodiff import jvp as jvp
from weft.autodiff import linear_transpose as linear_transpose
from weft.autodiff import linearize as linearize
from weft.autodiff import value_and_grad as value_and_grad
from weft.autodiff import vjp as vjp
from weft.config import config as config
from weft.config import debug_nans as debug_nans
from weft.config import disable_jit as disable_jit
from weft.config import enable_x64 as enable_x64
from weft.custom import checkpoint as checkpoint
from weft.custom import custom_jvp as custom_jvp
from weft.custom import custom_vjp as custom_vjp
from weft.custom import remat as remat
from weft.devices import Device as Device
from weft.devices import default_device as default_device
from weft.devices import devices as devices
from weft.devices import set_default_device as set_default_device
from weft.function import ShapeDtypeStruct as ShapeDtypeStruct
from weft.jit import eval_shape as eval_shape
from weft.jit import jit as jit
from weft.transfer import block_until_ready as block_until_ready
from weft.transfer import clear_caches as clear_caches
from weft.transfer import device_get as device_get
from weft.transfer import device_put as device_put
from weft.vmap import vmap as vmap

if TYPE_CHECKING:
    from weft import lax as lax
    from weft import nn as nn
    from weft import numpy as numpy
    from weft import optim as optim
    from weft import random as random

__version__ = "0.1.0"
_LIBRARIES = ("lax", "nn", "numpy", "optim", "random")


def __getattr__(name: str) -> Any:
    if name in _LIBRARIES:
        return import_module(f"weft.{name}")
    raise AttributeError(f"module 'weft' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LIBRARIES])
