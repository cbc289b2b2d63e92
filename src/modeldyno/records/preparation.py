"""How rows are cleaned and prepared: steps whose constants are learnt from training data, and what came of them."""

from typing import Literal, TypeAlias

from modeldyno.records.base import Record
from modeldyno.records.processing import Operation, Processing
from modeldyno.records.signature import TensorSpec


class DropDuplicates(Record, frozen=True, kw_only=True, tag_field="op", tag="drop_duplicates"):
    """Training rows that are as another one, label included, are left out; the first stays."""


class DropMissing(Record, frozen=True, kw_only=True, tag_field="op", tag="drop_missing"):
    """Training rows with NaN or an empty text are left out."""

    tensors: tuple[str, ...] = ()
    """Where; empty: anywhere."""


class DropOutliers(Record, frozen=True, kw_only=True, tag_field="op", tag="drop_outliers"):
    """Training rows with a value beyond the quartiles by more than `factor` times their distance are left out."""

    tensor: str
    factor: float = 3.0


class FitImpute(Record, frozen=True, kw_only=True, tag_field="op", tag="fit_impute"):
    """Becomes `impute` with a value for each column."""

    tensor: str
    strategy: Literal["mean", "median", "most_frequent"] = "median"


class FitLimit(Record, frozen=True, kw_only=True, tag_field="op", tag="fit_limit"):
    """Becomes `limit` at two quantiles of each column."""

    tensor: str
    low: float = 0.01
    high: float = 0.99


class FitScale(Record, frozen=True, kw_only=True, tag_field="op", tag="fit_scale"):
    """Becomes `normalise` with constants for each column.

    `standard`: mean 0 and standard deviation 1. `min_max`: from 0 to 1. `robust`: median 0, distance of the quartiles
    1.
    """

    tensor: str
    method: Literal["standard", "min_max", "robust"] = "standard"


class FitOneHot(Record, frozen=True, kw_only=True, tag_field="op", tag="fit_one_hot"):
    """Becomes `one_hot` with the categories that are there."""

    tensor: str
    least_rows: int = 1
    """Rarer categories are unknown."""
    output: str = ""


class FitOrdinal(Record, frozen=True, kw_only=True, tag_field="op", tag="fit_ordinal"):
    """Becomes `ordinal` with the categories that are there, in order; another one becomes -1."""

    tensor: str
    output: str = ""


class FitProject(Record, frozen=True, kw_only=True, tag_field="op", tag="fit_project"):
    """Becomes `project` onto principal components."""

    tensor: str
    components: int | float = 0.95
    """How many, or the share of the variance that they must explain."""
    whiten: bool = False
    """Divide each by its standard deviation."""
    output: str = ""


class FitTfIdf(Record, frozen=True, kw_only=True, tag_field="op", tag="fit_tf_idf"):
    """Becomes `tf_idf` with the most frequent terms."""

    tensor: str
    most_terms: int = 1000
    least_rows: int = 1
    most_words: int = 1
    sublinear: bool = False
    output: str = ""


RowStep: TypeAlias = DropDuplicates | DropMissing | DropOutliers
FitStep: TypeAlias = FitImpute | FitLimit | FitScale | FitOneHot | FitOrdinal | FitProject | FitTfIdf


class Preparation(Record, frozen=True, kw_only=True):
    """The document that `dyno prepare --steps` reads."""

    schema: Literal["modeldyno.preparation/1"] = "modeldyno.preparation/1"
    inputs: tuple[TensorSpec, ...] = ()
    """What goes in; empty: one FP64 tensor [rows] for each column of numbers, one BYTES tensor for each of texts."""
    steps: tuple[RowStep | FitStep | Operation, ...]


class Prepared(Record, frozen=True, kw_only=True):
    """What `dyno prepare --json` prints."""

    schema: Literal["modeldyno.prepared/1"] = "modeldyno.prepared/1"
    tool_version: str
    prepared_at: str
    data: str
    data_digest: str
    """Of the rows that the constants were learnt from, before any was left out."""
    rows: int
    """After rows were left out."""
    dropped: tuple[tuple[str, int], ...] = ()
    """Step, and how many rows it left out."""
    processing: Processing
    """The operations with their constants."""
    outputs: tuple[TensorSpec, ...]
    """What comes out of them."""
