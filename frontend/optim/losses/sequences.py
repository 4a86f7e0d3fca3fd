"""The loss of sequences whose alignment is not known: connectionist temporal classification.

A. Graves et al., "Connectionist temporal classification: labelling unsegmented sequence data with recurrent neural networks", ICML 2006. The sum over alignments is a recurrence over frames
(a `scan`) of two rows of log-probabilities: that the labels so far are those before n and a blank was seen last (`phi`), or label n was (`emit`).
"""

from __future__ import annotations

from typing import Any

import weft.numpy as wnp
from weft import lax, nn
from weft.array import Array

__all__ = ["ctc_loss", "ctc_loss_with_forward_probs"]


def _checked(logits: Any, logit_paddings: Any, labels: Any, label_paddings: Any) -> tuple[Array, Array, Array, Array]:
    x, x_pads, y, y_pads = (wnp.asarray(a) for a in (logits, logit_paddings, labels, label_paddings))
    if x.ndim != 3 or y.ndim != 2:
        raise ValueError(f"ctc_loss: expected logits of rank 3 and labels of rank 2, got {x.shape} and {y.shape}.")
    if y.shape != y_pads.shape or x.shape[:2] != x_pads.shape:
        raise ValueError(
            f"ctc_loss: paddings must have the shapes {x.shape[:2]} and {y.shape}, got {x_pads.shape} and {y_pads.shape}."
        )
    if x.shape[0] != y.shape[0]:
        raise ValueError(f"Expected `labels` to have batch size {x.shape[0]}, got {y.shape[0]}.")
    return x, x_pads, y, y_pads


def ctc_loss_with_forward_probs(
    logits: Any,
    logit_paddings: Any,
    labels: Any,
    label_paddings: Any,
    *,
    blank_id: int = 0,
    log_epsilon: Any = -1e5,
) -> tuple[Array, Array, Array]:
    """The loss of each sequence of a batch, and the log-probabilities of the recurrence, (frames, batch, labels + 1) after a blank and (frames, batch, labels) after a label.

    logits: (batch, frames, classes); labels: (batch, labels); paddings: of the shapes of frames and labels, 1 where there is none. `log_epsilon` stands for the logarithm of 0.
    Raises ValueError for shapes that do not fit.
    """
    x, x_pads, y, y_pads = _checked(logits, logit_paddings, labels, label_paddings)
    batch, count = y.shape
    logs = nn.log_softmax(x)
    blanks = wnp.moveaxis(logs[..., blank_id : blank_id + 1], 1, 0)
    emitted = wnp.einsum("btk,bnk->tbn", logs, nn.one_hot(y, x.shape[-1]))
    # Between two labels that are the same there has to be a blank.
    same = wnp.pad(wnp.equal(y[:, :-1], y[:, 1:]).astype(float), ((0, 0), (0, 1)))

    def joined(phi: Array, from_labels: Array) -> Array:
        return wnp.concatenate([phi[:, :1], wnp.logaddexp(phi[:, 1:], from_labels)], -1)

    def frame(rows: Any, given: Any) -> Any:
        phi, emit = rows
        emitting, blank, pad = given
        before = joined(phi, emit + log_epsilon * same)
        next_emit = wnp.logaddexp(before[:, :-1], emit) + emitting
        next_phi = joined(before + blank, emit + blank + log_epsilon * (1.0 - same))
        pad = pad[:, None]
        rows = pad * phi + (1.0 - pad) * next_phi, pad * emit + (1.0 - pad) * next_emit
        return rows, rows

    phi = wnp.where(lax.iota("int32", count + 1) == 0, 0.0, log_epsilon) + wnp.zeros((batch, 1))
    emit = wnp.full((batch, count), log_epsilon, phi.dtype)
    _, (phis, emits) = lax.scan(frame, (phi, emit), (emitted, blanks, x_pads.T))
    last = joined(phis[-1], emits[-1])
    lengths = count - wnp.sum(y_pads, 1).astype("int32")
    loss = -wnp.sum(last * nn.one_hot(lengths, count + 1), -1)
    return loss, phis.at[-1].set(last), emits


def ctc_loss(
    logits: Any,
    logit_paddings: Any,
    labels: Any,
    label_paddings: Any,
    *,
    blank_id: int = 0,
    log_epsilon: Any = -1e5,
) -> Array:
    """The loss of each sequence of a batch: minus the logarithm of the probability of its labels, over all alignments. Arguments as of `ctc_loss_with_forward_probs`."""
    return ctc_loss_with_forward_probs(
        logits, logit_paddings, labels, label_paddings, blank_id=blank_id, log_epsilon=log_epsilon
    )[0]
