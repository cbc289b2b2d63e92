import pytest

from modeldyno.wire.errors import WireError
from modeldyno.wire.torchserve import decode_models, prediction_path


def test_the_models_are_those_of_the_list() -> None:
    body = b"""{"nextPageToken": "2", "models": [
        {"modelName": "noop", "modelUrl": "noop-v1.0"}, {"modelName": "noop_v0.1", "modelUrl": "noop-v0.1"}]}"""

    assert ["noop", "noop_v0.1"] == decode_models(body)


@pytest.mark.parametrize("body", (b"", b"{}", b"[]", b'{"models": [{}]}', b"\xff"))
def test_what_is_no_list_of_models_is_refused(body: bytes) -> None:
    with pytest.raises(WireError, match="not a list of models"):
        decode_models(body)


def test_a_name_cannot_leave_its_place_in_the_path() -> None:
    assert "/predictions/a%2Fb%20c" == prediction_path("a/b c")
