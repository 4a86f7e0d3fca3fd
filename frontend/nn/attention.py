"""Attention: every query takes a mean of the values, weighted by the softmax of its products with the keys (`jax.nn.dot_product_attention`).

Query heads that share a head of keys and values are an axis of their own, so that keys and values are never repeated. Masks of all kinds are joined into one.
"""

from __future__ import annotations

import math
from typing import Any

import weft.numpy as wnp
from weft import lax
from weft.array import Array
from weft.dialects.dtypes import bool_, float32, int32
from weft.nn.functions import logsumexp, softmax

__all__ = ["dot_product_attention"]


def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    *,
    scale: float | None = None,
    is_causal: bool = False,
    query_seq_lengths: Any = None,
    key_value_seq_lengths: Any = None,
    local_window_size: int | tuple[int, int] | None = None,
    implementation: str | None = None,
    return_residual: bool = False,
) -> Any:
    """softmax(query keyᵀ * scale + bias) value, in float32 within; of the query's shape.

    query: (batch?, T, N, H); key and value: (batch?, S, K, H), where K divides N (grouped queries); bias and mask (bool: True takes part): broadcast to (batch, N, T, S).
    scale: 1 / sqrt(H) unless it is given. is_causal: a query sees no later key. *_seq_lengths: int32[batch], what lies beyond is padding. local_window_size: how many keys before
    and after its own place a query sees. return_residual: also the logsumexp of the logits, (batch?, T, N). Raises ValueError for shapes, dtypes or an implementation that do not fit.

    A. Vaswani et al., "Attention is all you need", NIPS 2017; J. Ainslie et al., "GQA", EMNLP 2023.
    """
    if implementation not in (None, "xla", "cudnn"):
        raise ValueError(f"Unsupported implementation option: {implementation}")
    shape = wnp.asarray(query).shape
    query, key, value = (_rank_4(x) for x in (query, key, value))
    bias, mask = (None if x is None else _rank_4(x) for x in (bias, mask))
    batch, keys, heads, size = key.shape
    _fits("value", value, (batch, keys, heads, size), key.dtype)
    _fits("query", query, (batch, None, None, size), key.dtype)
    _fits("mask", mask, (None,) * 4, bool_)
    _fits("bias", bias, (None,) * 4, None)
    lengths = [None if x is None else wnp.asarray(x) for x in (query_seq_lengths, key_value_seq_lengths)]
    for name, given in zip(("query_seq_lengths", "key_value_seq_lengths"), lengths, strict=True):
        _fits(name, given, (batch,), int32)
    queries, all_heads = query.shape[1], query.shape[2]
    if all_heads % heads:
        raise ValueError(
            f"The number of query heads must be a multiple of key/value heads, but got {all_heads} vs {heads}"
        )
    grouped = query.reshape(batch, queries, heads, all_heads // heads, size)
    wide = wnp.promote_types(query.dtype, float32)
    logits = wnp.einsum("btkgh,bskh->bkgts", grouped, key, preferred_element_type=wide)
    logits = logits * wnp.array(1.0 / math.sqrt(size) if scale is None else scale, logits.dtype)
    if bias is not None:
        logits = (logits + _grouped(bias, heads, all_heads)).astype(logits.dtype)
    seen = _seen(mask, heads, all_heads, queries, keys, is_causal, lengths, local_window_size)
    if seen is not None:
        lowest = -0.7 * min(wnp.finfo(logits.dtype).max, wnp.finfo(float32).max)
        logits = wnp.where(seen, logits, wnp.array(lowest, logits.dtype))
    logits = logits.astype(float32)
    weights = softmax(logits, axis=-1).astype(key.dtype)
    out = wnp.einsum("bkgts,bskh->btkgh", weights, value).reshape(batch, queries, all_heads, size)
    if lengths[0] is not None:
        inside = wnp.arange(queries)[None, :] < lengths[0][:, None]
        out = out * inside[:, :, None, None].astype(out.dtype)
    if not return_residual:
        return out.reshape(shape)
    residual = wnp.moveaxis(logsumexp(logits, axis=-1).astype(key.dtype), -1, 1)
    return out.reshape(shape), lax.stop_gradient(residual.reshape(shape[:-1]))


def _rank_4(x: Any) -> Array:
    x = wnp.asarray(x)
    return x.reshape((1,) * (4 - x.ndim) + x.shape) if x.ndim < 4 else x


def _fits(name: str, x: Array | None, shape: tuple[int | None, ...], dtype: Any) -> None:
    if x is None:
        return
    if x.ndim != len(shape):
        raise ValueError(f"{name} ndim should be {len(shape)}, but got {x.ndim}")
    if dtype is not None and x.dtype is not dtype:
        raise ValueError(f"{name} dtype should be {dtype}, but got {x.dtype}")
    if any(n is not None and n != m for n, m in zip(shape, x.shape, strict=True)):
        wanted = tuple(-1 if n is None else n for n in shape)
        raise ValueError(f"{name} shape should be {wanted}: but got {x.shape}")


def _grouped(x: Array, heads: int, all_heads: int) -> Array:
    """(batch, N or 1, T, S) with the heads as two axes, those of the keys and those that share one."""
    batch, own, queries, keys = x.shape
    return x.reshape(batch, *((1, 1) if own == 1 else (heads, all_heads // heads)), queries, keys)


def _seen(
    mask: Array | None,
    heads: int,
    all_heads: int,
    queries: int,
    keys: int,
    is_causal: bool,
    lengths: list[Array | None],
    window: int | tuple[int, int] | None,
) -> Array | None:
    """Which keys a query sees, as an array that broadcasts to (batch, K, N / K, T, S); None for all."""
    row, column = wnp.arange(queries)[:, None], wnp.arange(keys)[None, :]
    parts = [] if mask is None else [_grouped(mask, heads, all_heads)]
    if is_causal:
        parts.append(row >= column)
    if window is not None:
        before, after = (window, window) if isinstance(window, int) else window
        parts.append((row <= column + before) & (row >= column - after))
    for place, length in zip((row, column), lengths, strict=True):
        if length is not None:
            parts.append((place < length[:, None, None])[:, None, None])
    found = None
    for part in parts:
        found = part if found is None else found & part
    return found
