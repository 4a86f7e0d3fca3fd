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
from weft.autodiff import fwd_and_bwd as fwd_and_bwd
from weft.autodiff import grad as grad
from weft.autodiff import hessian as hessian
from weft.autodiff import jacfwd as jacfwd
from weft.autodiff import jacrev as jacrev
from weft.autodiff import jvp as jvp
from weft.autodiff import linear_transpose as linear_transpose
from weft.autodiff import linearize as linearize
from weft.autodiff import value_and_grad as value_and_grad
from weft.autodiff import vjp as vjp
from weft.callbacks import effects_barrier as effects_barrier
from weft.callbacks import pure_callback as pure_callback
from weft.config import config as config
from weft.config import debug_infs as debug_infs
from weft.config import debug_nans as debug_nans
from weft.config import default_matmul_precision as default_matmul_precision
from weft.config import disable_jit as disable_jit
from weft.config import enable_x64 as enable_x64
from weft.config import log_compiles as log_compiles
from weft.config import numpy_dtype_promotion as numpy_dtype_promotion
from weft.config import numpy_rank_promotion as numpy_rank_promotion
from weft.custom import checkpoint as checkpoint
from weft.custom import closure_convert as closure_convert
from weft.custom import custom_gradient as custom_gradient
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
from weft.jit import make_jaxpr as make_jaxpr
from weft.scopes import named_call as named_call
from weft.scopes import named_scope as named_scope
from weft.transfer import block_until_ready as block_until_ready
from weft.transfer import clear_caches as clear_caches
from weft.transfer import copy_to_host_async as copy_to_host_async
from weft.transfer import device_get as device_get
from weft.transfer import device_put as device_put
from weft.vmap import vmap as vmap

if TYPE_CHECKING:
    from weft import ad_checkpoint as ad_checkpoint
    from weft import core as core
    from weft import custom_batching as custom_batching
    from weft import custom_derivatives as custom_derivatives
    from weft import debug as debug
    from weft import dlpack as dlpack
    from weft import dtypes as dtypes
    from weft import flatten_util as flatten_util
    from weft import image as image
    from weft import lax as lax
    from weft import nn as nn
    from weft import numpy as numpy
    from weft import ops as ops
    from weft import optim as optim
    from weft import profiler as profiler
    from weft import random as random
    from weft import stages as stages
    from weft import test_util as test_util
    from weft import typing as typing
    from weft.ad_checkpoint import checkpoint_policies as checkpoint_policies
    from weft.info import default_backend as default_backend
    from weft.info import device_count as device_count
    from weft.info import ensure_compile_time_eval as ensure_compile_time_eval
    from weft.info import host_count as host_count
    from weft.info import host_id as host_id
    from weft.info import host_ids as host_ids
    from weft.info import live_arrays as live_arrays
    from weft.info import local_device_count as local_device_count
    from weft.info import local_devices as local_devices
    from weft.info import print_environment_info as print_environment_info
    from weft.info import process_count as process_count
    from weft.info import process_index as process_index
    from weft.info import process_indices as process_indices
    from weft.info import typeof as typeof

__version__ = "0.1.0"
jacobian = jacrev
_LIBRARIES = (
    "ad_checkpoint", "core", "custom_batching", "custom_derivatives", "debug", "dlpack", "dtypes", "experimental", "flatten_util", "image", "lax", "nn", "numpy", "ops", "optim", "profiler", "random", "scipy", "stages", "test_util", "typing",
)  # fmt: skip
_ELSEWHERE = {"checkpoint_policies": "ad_checkpoint", "float0": "dtypes"} | dict.fromkeys(
    """default_backend device_count ensure_compile_time_eval host_count host_id host_ids live_arrays local_device_count local_devices
    print_environment_info process_count process_index process_indices typeof""".split(),  # noqa: SIM905
    "info",
)
"""Names of modules that few programs need: imported with the first of them."""


def __getattr__(name: str) -> Any:
    if name in _LIBRARIES:
        return import_module(f"weft.{name}")
    if name in _ELSEWHERE:
        return getattr(import_module(f"weft.{_ELSEWHERE[name]}"), name)
    raise AttributeError(f"module 'weft' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LIBRARIES, *_ELSEWHERE])
