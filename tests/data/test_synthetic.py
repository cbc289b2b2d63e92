import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldyno.data.fitting import fit_tensors
from modeldyno.data.synthetic import synthetic_dataset
from modeldyno.errors import DataError
from modeldyno.records.signature import DATATYPES, Signature, TensorSpec

OUTPUT = TensorSpec(name="y", datatype="FP32", shape=("batch",))

specs = st.builds(
    TensorSpec,
    name=st.sampled_from(("a", "b", "c")),
    datatype=st.sampled_from(tuple(DATATYPES)),
    shape=st.lists(st.one_of(st.integers(1, 4), st.just("length")), max_size=3).map(lambda sizes: ("batch", *sizes)),
)
signatures = st.lists(specs, min_size=1, max_size=3, unique_by=lambda spec: spec.name).map(
    lambda inputs: Signature(inputs=tuple(inputs), outputs=(OUTPUT,))
)


@given(signatures, st.integers(1, 20), st.integers(0, 2**32))
def test_made_rows_fit_the_signature_they_were_made_from(signature: Signature, rows: int, seed: int) -> None:
    dataset = synthetic_dataset(signature, rows, seed)
    made = dataset.inputs(0, rows)
    assert rows == dataset.rows
    assert dataset.labels is None
    fitted = fit_tensors("rows", made, signature)
    for spec in signature.inputs:
        assert DATATYPES[spec.datatype] == made[spec.name].dtype
        assert made[spec.name].tolist() == fitted[spec.name].tolist()


@given(signatures, st.integers(0, 2**32))
def test_the_same_seed_makes_the_same_rows(signature: Signature, seed: int) -> None:
    assert synthetic_dataset(signature, 5, seed).digest == synthetic_dataset(signature, 5, seed).digest


def test_another_seed_makes_other_rows() -> None:
    signature = Signature(inputs=(TensorSpec(name="x", datatype="FP32", shape=("n", 4)),), outputs=(OUTPUT,))
    assert synthetic_dataset(signature, 5, 1).digest != synthetic_dataset(signature, 5, 2).digest
    assert "synthetic data: 5 rows, 4 features, no labels" == synthetic_dataset(signature, 5, 1).describe()


def test_an_input_without_a_dimension_for_rows_is_refused() -> None:
    signature = Signature(inputs=(TensorSpec(name="x", datatype="FP32", shape=()),), outputs=(OUTPUT,))
    with pytest.raises(DataError, match="no rows can be made for input 'x'"):
        synthetic_dataset(signature, 5, 1)
