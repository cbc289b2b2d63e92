"""An ensemble of trees as a program in C.

Each tree is a function of nested questions, its thresholds written bit by bit. Rows are taken in blocks,
tree by tree: the code of one tree stays in the instruction cache for a whole block, where row by row all trees would
chase each other out of it.
"""

import math

from modeldyno.models.trees.ensemble import Branch, Ensemble, Tree

ENTRY = "modeldyno_trees"
"""`void (const float *rows, int64_t count, float *scores, int64_t *labels)`; `labels` may be null for a regression."""
SIZES = "modeldyno_trees_sizes"
"""`const int64_t[3]`: features and scores of a row, and whether there are labels."""
_BLOCK_ROWS = 64
_DEEPEST = 500
"""Questions within questions that a compiler is asked to take."""

_MAIN = """
void {entry}(const float *rows, int64_t count, float *scores, int64_t *labels) {{
  static const float base[{sums}] = {{{base}}};
  for (int64_t start = 0; start < count; start += {block}) {{
    const int64_t here = count - start < {block} ? count - start : {block};
    const float *x = rows + start * {features};
    float s[{block} * {sums}];
    for (int64_t i = 0; i < here; ++i) memcpy(s + i * {sums}, base, sizeof base);
    for (int64_t t = 0; t < {trees}; ++t)
      for (int64_t i = 0; i < here; ++i) trees[t](x + i * {features}, s + i * {sums});
    for (int64_t i = 0; i < here; ++i) {{
      float *v = s + i * {sums};
      float *out = scores + (start + i) * {scores};
{finish}
    }}
  }}
}}
"""
_FINISHES = {
    "NONE": "for (int k = 0; k < {sums}; ++k) out[{first} + k] = v[k];",
    "LOGISTIC": "for (int k = 0; k < {sums}; ++k) out[{first} + k] = 1.0f / (1.0f + expf(-v[k]));",
    "SOFTMAX": """float most = v[0], all = 0;
      for (int k = 1; k < {sums}; ++k) if (v[k] > most) most = v[k];
      for (int k = 0; k < {sums}; ++k) all += out[k] = expf(v[k] - most);
      for (int k = 0; k < {sums}; ++k) out[k] /= all;""",
}
_LABEL = """      int best = 0;
      for (int k = 1; k < {scores}; ++k) if (out[k] > out[best]) best = k;
      labels[start + i] = classes[best];"""


def program_of(ensemble: Ensemble, features: int) -> str:
    """The C source of a shared library with `ENTRY` and `SIZES`.

    Args:
        ensemble: what it computes.
        features: how many a row has.

    Raises:
        ValueError: a tree is not one: it leads to a node that is not there, asks for a feature that no row has, or
            goes deeper than compilers do.
    """
    sizes = {"sums": ensemble.sums, "scores": ensemble.scores, "first": ensemble.scores - ensemble.sums}
    lines = ["#include <math.h>", "#include <stdint.h>", "#include <string.h>"]
    lines.append(f"const int64_t {SIZES}[3] = {{{features}, {ensemble.scores}, {int(bool(ensemble.labels))}}};")
    for number, tree in enumerate(ensemble.trees):
        lines.append(f"static void tree_{number}(const float *x, float *s) {{")
        lines += _body(tree, features, ensemble.sums)
        lines.append("}")
    named = ", ".join(f"tree_{number}" for number in range(len(ensemble.trees)))
    lines.append(f"static void (*const trees[])(const float *, float *) = {{{named}}};")
    finish = ["      " + _FINISHES[ensemble.finish].format(**sizes)]
    if ensemble.scores > ensemble.sums:
        finish.append("      out[0] = 1.0f - out[1];")
    if ensemble.labels:
        lines.append(f"static const int64_t classes[] = {{{', '.join(map(str, ensemble.labels))}}};")
        finish.append(_LABEL.format(**sizes))
    base = ", ".join(_exact(value) for value in ensemble.base)
    lines.append(
        _MAIN.format(
            entry=ENTRY, base=base, block=_BLOCK_ROWS, features=features, trees=len(ensemble.trees),
            finish="\n".join(finish), **sizes,
        )
    )  # fmt: skip
    return "\n".join(lines)


def _body(tree: Tree, features: int, sums: int) -> list[str]:
    """Without recursion: a tree may be a long chain."""
    lines: list[str] = []
    left: list[tuple[int, int] | str] = [(tree.root, 0)]
    while left:
        item = left.pop()
        if isinstance(item, str):
            lines.append(item)
            continue
        number, depth = item
        branch = tree.branches.get(number)
        if branch is None:
            leaf = tree.leaves.get(number)
            if leaf is None or not all(0 <= target < sums for target, _ in leaf):
                raise ValueError(f"node {number} is not there, or adds to more than the {sums} sums")
            lines += [f"s[{target}] += {_exact(weight)};" for target, weight in leaf if weight]
            continue
        if branch.feature >= features or branch.feature < 0 or depth > _DEEPEST:
            raise ValueError(f"node {number} asks for feature {branch.feature} of {features} at depth {depth}")
        lines.append(f"if ({_question(branch)}) {{")
        left += ["}", (branch.no, depth + 1), "} else {", (branch.yes, depth + 1)]
    return lines


def _question(branch: Branch) -> str:
    asked = f"x[{branch.feature}] {branch.comparing} {_exact(branch.threshold)}"
    # Every one of these comparisons is false of NaN.
    return f"{asked} || isnan(x[{branch.feature}])" if branch.missing_is_yes else asked


def _exact(value: float) -> str:
    """A number of single precision as C takes it without rounding."""
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    return "NAN" if math.isnan(value) else f"{value.hex()}f"
