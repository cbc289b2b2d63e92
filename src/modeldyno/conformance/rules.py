"""All rules, in the order in which they are checked: what others build on first, what may hurt a server last."""

from collections.abc import Sequence
from difflib import get_close_matches

from modeldyno.conformance import (
    content_coding,
    datatypes,
    extensions,
    grpc_infer,
    grpc_metadata,
    grpc_refusals,
    grpc_repository,
    health,
    http_semantics,
    infer_binary,
    infer_json,
    metadata,
    parameters,
    refusals,
)
from modeldyno.conformance.rule import Rule
from modeldyno.errors import UsageError

ALL_RULES: tuple[Rule, ...] = (
    *health.RULES,
    *metadata.RULES,
    *infer_json.RULES,
    *datatypes.RULES,
    *parameters.RULES,
    *infer_binary.RULES,
    *content_coding.RULES,
    *extensions.RULES,
    *grpc_metadata.RULES,
    *grpc_infer.RULES,
    *grpc_refusals.RULES,
    *grpc_repository.RULES,
    *http_semantics.RULES,
    *refusals.RULES,
)


def select_rules(prefixes: Sequence[str]) -> tuple[Rule, ...]:
    """The rules whose names begin with one of these; all without any.

    Raises:
        UsageError: no rule begins with one of them.
    """
    for prefix in prefixes:
        if not any(rule.name.startswith(prefix) for rule in ALL_RULES):
            near = get_close_matches(prefix, [rule.name for rule in ALL_RULES], n=1, cutoff=0.4)
            raise UsageError(
                f"no rule begins with {prefix!r}",
                hint=f"did you mean {near[0]}? all of them: dyno conform --list" if near else "dyno conform --list",
            )
    if not prefixes:
        return ALL_RULES
    return tuple(rule for rule in ALL_RULES if rule.name.startswith(tuple(prefixes)))
