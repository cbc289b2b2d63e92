"""What a runtime really computes an artifact in, whatever was asked for: told by one call with its own profiler."""

from typing import get_args

import msgspec

from modeldyno.api.profiled.anatomy import Batch, counted, is_told, profile_of
from modeldyno.errors import DynoError
from modeldyno.records.artifact import Artifact, Precision
from modeldyno.records.deployment import RuntimeName
from modeldyno.search.space import deployment_of
from modeldyno.stats.roofline import precision_of_products


def with_effective_precision(
    artifact: Artifact, runtime: RuntimeName, batch: Batch, *, trust: bool = False
) -> Artifact:
    """The artifact with `computed_in` filled; None where its runtime does not tell, or it has no products.

    Args:
        artifact: as it is meant to be opened.
        runtime: in which it is.
        batch: of one call.
        trust: whether the user vouches for the artifact; what runs code when it is opened does not tell otherwise.
    """
    return msgspec.structs.replace(artifact, computed_in=effective_precision(artifact, runtime, batch, trust=trust))


def effective_precision(
    artifact: Artifact, runtime: RuntimeName, batch: Batch, *, trust: bool = False
) -> Precision | None:
    """What its products are computed in on this machine; see `with_effective_precision`."""
    shape = deployment_of(artifact, runtime, threads=1, instances=1, batch=len(next(iter(batch.values()))))
    if not is_told(artifact, shape):
        return None
    try:
        with profile_of(artifact, shape, trust=trust) as profile:
            profile.run(batch)
            found = precision_of_products(counted(profile.end(skip=0)))
    except DynoError:
        return None  # what cannot be profiled can be served all the same
    return next((one for one in get_args(Precision) if one == found), None)
