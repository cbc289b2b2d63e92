"""Parameters of the Open Inference Protocol: values by name, on requests, inputs and outputs."""

from modeldyno.wire.errors import WireError

Parameter = str | int | float | bool | None


def flag(parameters: dict[str, Parameter], name: str, *, default: bool = False) -> bool:
    """The one that is true or false.

    Raises:
        WireError: it is neither.
    """
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise WireError(f"the parameter {name} is true or false, not {value!r}")
    return value


def whole(parameters: dict[str, Parameter], name: str) -> int:
    """The one that is a whole number; 0 when it is not given.

    Raises:
        WireError: it is something else, or below 0.
    """
    value = parameters.get(name, 0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise WireError(f"the parameter {name} is a whole number from 0 on, not {value!r}")
    return value
