"""Where an ONNX graph computes attention: Softmax(Q·Kᵀ·scale + mask)·V, head by head.

What exporters write around the two products is alike: each of Q, K and V is split into heads by Reshape and Transpose,
and the answer is put together by the same. Known are the forms of torch.onnx by graph and by tracing, after ONNX
Runtime's basic optimisation has folded their constants.
"""

from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from modeldyno.compression.wiring import Wiring

_HEADS_FIRST = [0, 2, 1, 3]
_KEYS_FIRST = [0, 2, 3, 1]
"""The same for K, with its last two dimensions swapped."""
_SWAPPED = [0, 1, 3, 2]


class Attention(NamedTuple):
    """One attention, as MultiHeadAttention of ONNX Runtime takes it (docs/ContribOperators.md there)."""

    query: str
    """Rows, tokens and width; likewise the next two."""
    key: str
    value: str
    mask: str
    """What is added to the scores; empty: nothing."""
    heads: int
    scale: float
    answer: Any
    """The Transpose after it: its output, with the heads side by side, is what the operator gives."""


class _Heads(NamedTuple):
    source: str
    number: int
    scale: float


class _Scores(NamedTuple):
    product: Any
    scale: float
    mask: str


def attention_at(wiring: Wiring, softmax: Any) -> Attention | None:
    """The attention around a Softmax; None where it is none, or none that is known here."""
    scores = _scores(wiring, softmax.input[0]) if wiring.is_over_last(softmax) else None
    if scores is None:
        return None
    query = _heads(wiring, scores.product.input[0])
    key = _key_heads(wiring, scores.product.input[1])
    shares = _unguarded(wiring, softmax.output[0], scores.mask)
    product = wiring.only_user(shares, "MatMul") if shares else None
    if product is None or product.input[0] != shares:
        return None
    value = _heads(wiring, product.input[1])
    answer = wiring.only_user(product.output[0], "Transpose")
    if query is None or key is None or value is None or not _is_joined(wiring, answer):
        return None
    if not query.number == key.number == value.number or value.scale != 1.0:
        return None
    scale = query.scale * key.scale * scores.scale
    return Attention(query.source, key.source, value.source, scores.mask, query.number, scale, answer)


def _scores(wiring: Wiring, name: str) -> _Scores | None:
    """The product of Q and Kᵀ behind what Softmax takes."""
    added = wiring.maker(name, "Add")
    tried = [(added.input[0], added.input[1]), (added.input[1], added.input[0])] if added is not None else [(name, "")]
    for scored, mask in tried:
        plain, scale = _unscaled(wiring, scored)
        product = wiring.maker(plain, "MatMul")
        if product is not None:
            return _Scores(product, scale, mask)
    return None


def _unscaled(wiring: Wiring, name: str) -> tuple[str, float]:
    """What is multiplied or divided by a constant there, and the factor."""
    times = wiring.maker(name, "Mul")
    if times is not None:
        for plain, other in ((0, 1), (1, 0)):
            factor = wiring.number(times.input[other])
            if factor is not None:
                return times.input[plain], factor
    over = wiring.maker(name, "Div")
    divisor = wiring.number(over.input[1]) if over is not None else None
    if over is not None and divisor:
        return over.input[0], 1 / divisor
    return name, 1.0


def _heads(wiring: Wiring, name: str, order: list[int] = _HEADS_FIRST) -> _Heads | None:
    """What was split into heads there."""
    plain, scale = _unscaled(wiring, name)
    turned = wiring.transposed(plain, order)
    split = wiring.maker(turned, "Reshape") if turned else None
    if split is None:
        return None
    width = wiring.width(split.input[0])
    count, each = wiring.last_two(split.input[1])
    if width is None or (count is None and each is None):
        return None
    heads = count if count is not None else width // (each or 1)
    return _Heads(split.input[0], heads, scale) if width % heads == 0 else None


def _key_heads(wiring: Wiring, name: str) -> _Heads | None:
    """K is transposed once more, in one of three ways."""
    at_once = _heads(wiring, name, _KEYS_FIRST)
    if at_once is not None:
        return at_once
    plain, scale = _unscaled(wiring, name)
    turned = wiring.transposed(plain, _SWAPPED) or _swapped_flat(wiring, plain)
    heads = _heads(wiring, turned) if turned else None
    return heads._replace(scale=heads.scale * scale) if heads is not None else None


def _swapped_flat(wiring: Wiring, name: str) -> str:
    """Swapped with rows and heads as one dimension, which torch.onnx by graph does; empty where it is not."""
    widened = wiring.maker(name, "Reshape")
    turned = wiring.transposed(widened.input[0], [0, 2, 1]) if widened is not None else ""
    flat = wiring.maker(turned, "Reshape") if turned else None
    return str(flat.input[0]) if flat is not None else ""


def _unguarded(wiring: Wiring, name: str, mask: str) -> str:
    """The shares without the guard `Where(IsNaN(shares), 0, shares)`; empty where it cannot be left out.

    It matters for rows of which everything is masked with minus infinity: MultiHeadAttention would give no number for
    them. A finite mask leaves nothing to guard.
    """
    asked = [node for node in wiring.users(name) if node.op_type == "IsNaN"]
    if not asked:
        return name
    guard = wiring.only_user(asked[0].output[0], "Where")
    is_guard = guard is not None and wiring.number(guard.input[1]) == 0 and guard.input[2] == name
    if not is_guard or guard is None or not _is_finite(wiring, mask):
        return ""
    return str(guard.output[0])


def _is_finite(wiring: Wiring, mask: str) -> bool:
    chosen = wiring.maker(mask, "Where") if mask else None
    values = [wiring.number(name) for name in chosen.input[1:]] if chosen is not None else []
    return not mask or (len(values) == 2 and all(value is not None and isfinite(value) for value in values))


def _is_joined(wiring: Wiring, answer: Any | None) -> bool:
    """Whether nothing but a Reshape sees the heads of the answer, and it takes them side by side just as well."""
    if answer is None or not wiring.transposed(answer.output[0], _HEADS_FIRST):
        return False
    joined = wiring.only_user(answer.output[0], "Reshape")
    shape = wiring.constant(joined.input[1]) if joined is not None else None
    # A 0 there means the size that the input has at that place, which is another one with the heads side by side.
    return joined is not None and (shape is None or bool(np.all(shape[2:] != 0)))
