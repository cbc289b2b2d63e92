"""Several models served as one: what feeds what, and the document that says so."""

from typing import Literal, TypeAlias

from modeldyno.records.artifact import Task
from modeldyno.records.base import Record
from modeldyno.records.processing import Processing
from modeldyno.records.signature import Signature

STAGE_OUTPUT = "cascade_stage"
"""INT32 [rows]: the number of the stage that answered a row, the first is 0."""


class Member(Record, frozen=True, kw_only=True, tag_field="node", tag="member"):
    """One model: a bundle under `members/`."""

    name: str


class Sequence(Record, frozen=True, kw_only=True, tag_field="node", tag="sequence"):
    """What comes out of one step goes into the next; a model takes what it knows by name and drops the rest."""

    steps: "tuple[Node, ...]"


class Ensemble(Record, frozen=True, kw_only=True, tag_field="node", tag="ensemble"):
    """All get the same inputs, at the same time, and their answers become one."""

    members: "tuple[Node, ...]"
    method: Literal["average", "vote"]
    """`average`: the weighted mean of a float output. `vote`: the label with the most weight; of equals, that of the
    first member."""
    output: str
    """Which output, of the same name in all; the others are dropped."""
    weights: tuple[float, ...] = ()
    """One for each member; empty: all the same."""


class Cascade(Record, frozen=True, kw_only=True, tag_field="node", tag="cascade"):
    """The first answers, and rows of which it is not sure go on to the next. Rows are passed on, not requests."""

    stages: "tuple[Node, ...]"
    thresholds: tuple[float, ...]
    """One for each stage but the last: a row whose confidence is below it goes on. NaN always does."""
    confidence: str
    """The float output [rows, classes] that it is read from, in every stage but the last."""
    measure: Literal["highest", "margin"] = "highest"
    """`highest`: the largest of a row; `margin`: the distance to the second."""
    tells_stage: bool = True
    """Whether there is an output `cascade_stage`."""


Node: TypeAlias = Member | Processing | Sequence | Ensemble | Cascade


class Pipeline(Record, frozen=True, kw_only=True):
    """The document `pipeline.json`, beside the bundles of its members under `members/`."""

    schema: Literal["modeldyno.pipeline/1"] = "modeldyno.pipeline/1"
    tool_version: str
    created_at: str
    name: str
    """Its name on the server."""
    version: str = "1"
    task: Task
    classes: tuple[int | str, ...] = ()
    """The labels in the order of the probability columns; empty when unknown."""
    signature: Signature
    graph: Node
    timeout_ns: int | None = None
    """From a request's first byte to its answer; None: only what its members' deployments say, each of its part."""
    files: dict[str, str]
    """Every other file, by relative path, those of the members too, to its `sha256:` digest."""

    @property
    def kind(self) -> str:
        """What the whole is, in a word."""
        return str(type(self.graph).__struct_config__.tag)


def members_of(node: Node) -> tuple[str, ...]:
    """The names of all members, in the order in which they appear; one that appears twice is named once."""
    match node:
        case Member(name=name):
            found: tuple[str, ...] = (name,)
        case Sequence(steps=inner) | Ensemble(members=inner) | Cascade(stages=inner):
            found = tuple(name for part in inner for name in members_of(part))
        case Processing():
            found = ()
    return tuple(dict.fromkeys(found))
