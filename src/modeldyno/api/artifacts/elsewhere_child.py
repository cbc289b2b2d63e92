"""The child process of `elsewhere`, run by the interpreter of another environment."""

import msgspec

from modeldyno.api.artifacts.elsewhere import ElsewhereTask
from modeldyno.api.converting import convert
from modeldyno.children import answer
from modeldyno.records.derivation import Derivation


def convert_here(task: ElsewhereTask) -> Derivation:
    """`convert`, with what is installed here."""
    return convert(**msgspec.structs.asdict(task))


if __name__ == "__main__":
    answer(convert_here, ElsewhereTask)
