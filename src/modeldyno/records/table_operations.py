"""Operations that make features of the columns of tables, declared with their constants."""

from typing import Literal, TypeAlias

from modeldyno.records.operation import OneTensor

Category: TypeAlias = int | str
Statistic: TypeAlias = Literal["mean", "std", "min", "max", "slope"]


class ParseNumbers(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="parse_numbers"):
    """FP64 of BYTES that hold numbers as text; NaN where a text is none."""


class Limit(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="limit"):
    """Floats not beyond the limits of their channel: outliers are moved to them; NaN stays."""

    low: tuple[float, ...]
    """One for all, or one for each channel."""
    high: tuple[float, ...]
    axis: int = -1
    """Where the channels are."""


class OneHot(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="one_hot"):
    """FP32 [rows, categories]: 1 where a value [rows] or [rows, 1] is the category."""

    categories: tuple[Category, ...]
    """Texts for BYTES, whole numbers for numbers."""
    unknown: Literal["zeros", "refuse"] = "zeros"
    """What becomes of another value."""


class Ordinal(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="ordinal"):
    """FP32: the place of each value among the categories."""

    categories: tuple[Category, ...]
    unknown: float | None = None
    """For another value; None: it is refused."""


class Polynomial(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="polynomial"):
    """All products of up to `degree` columns of floats [rows, columns].

    In the order of scikit-learn's PolynomialFeatures, without the constant 1.
    """

    degree: int = 2
    only_interactions: bool = False
    """Leave out products with a column twice."""


class Project(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="project"):
    """`(x - mean) @ components.T` of floats [rows, columns], as principal components do."""

    mean: tuple[float, ...]
    """One for each column."""
    components: tuple[tuple[float, ...], ...]
    """One row for each column of the result."""


class WindowStatistics(OneTensor, frozen=True, kw_only=True, tag_field="op", tag="window_statistics"):
    """FP32 [rows, windows * channels * statistics] of floats [rows, time] or [rows, time, channels]."""

    window: int
    """Values in a window."""
    stride: int
    """From the beginning of a window to that of the next."""
    statistics: tuple[Statistic, ...] = ("mean", "std", "min", "max")
    """`std` divides by the number of values; `slope` is that of the least-squares line, a value for each step."""


TableOperation: TypeAlias = ParseNumbers | Limit | OneHot | Ordinal | Polynomial | Project | WindowStatistics
