"""One request on its way through a pipeline: it drives the flow, and asks the members."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from modeldyno.errors import DataError
from modeldyno.processing.flow import Ask, Flow, Fork
from modeldyno.processing.steps import Array
from modeldyno.protocols import Tensors
from modeldyno.server.call import NO_MEMORY, Answer, Call, Refusal
from modeldyno.server.loop import Loop
from modeldyno.server.pipelines.member import PipelineMember
from modeldyno.server.pipelines.processing import Processor

_LOG = logging.getLogger("modeldyno.server")

Outputs = dict[str, Array]


class Ended(Protocol):
    """Whom a journey tells its end, once."""

    def arrive(self, journey: "Journey", outputs: Outputs) -> None:
        """The whole was computed."""
        ...

    def give_up(self, journey: "Journey", refusal: Refusal) -> None:
        """A part refused or failed; what was still under way elsewhere is cancelled."""
        ...


class Path:
    """One flow of a journey, and the time that its members took; a fork has a path for each branch."""

    __slots__ = ("done", "flow", "inference_ns", "queue_ns", "waits_for")

    def __init__(self, flow: Flow, done: Callable[["Path", Outputs], None] | None = None) -> None:
        self.flow = flow
        self.done = done
        """Told what it ends with; None for the whole way."""
        self.queue_ns = 0
        self.inference_ns = 0
        self.waits_for: tuple[PipelineMember, Call] | None = None

    def add(self, queue_ns: int, inference_ns: int) -> None:
        """A part of the way."""
        self.queue_ns += queue_ns
        self.inference_ns += inference_ns


class Journey:
    """From the decoded request to the outputs, all on the loop's thread.

    Args:
        call: what is asked, and until when.
        flow: of the pipeline, not begun yet.
        members: by name.
        processor: computes what is between them.
        loop: of the server.
        ended: told the end.
    """

    def __init__(
        self,
        call: Call,
        flow: Flow,
        *,
        members: Mapping[str, PipelineMember],
        processor: Processor,
        loop: Loop,
        ended: Ended,
    ) -> None:
        self.call = call
        self._members = members
        self._processor = processor
        self._loop = loop
        self._ended = ended
        self._has_answer = False
        self.first_ask_ns: int | None = None
        """When the first member was asked."""
        self.is_over = False
        self.refusal: Refusal | None = None
        """Why it was given up, if it was."""
        self.main = Path(flow)
        self._waiting: set[Path] = set()

    def begin(self) -> None:
        """Go as far as possible at once; what ends it then is told before this returns."""
        self._step(self.main, None)

    def stop(self) -> None:
        """Go no further, and withdraw what members were asked."""
        self.is_over = True
        for path in self._waiting:
            if path.waits_for is not None:
                member, call = path.waits_for
                path.waits_for = None  # or the two would hold each other, and the tensors, until they are collected
                member.cancel(call)
        self._waiting.clear()

    def _step(self, path: Path, answer: object) -> None:
        """Whatever goes wrong ends this journey, and no other."""
        try:
            self._advance(path, answer)
        except Exception as problem:  # noqa: BLE001 - it is told to the one it concerns, and logged if it is our fault
            self._fail(problem)

    def _fail(self, problem: Exception) -> None:
        if isinstance(problem, DataError):
            # Before any model has answered, it is the client's values that are refused; after that, a model's.
            self._end(Refusal(500 if self._has_answer else 400, problem.what))
        elif isinstance(problem, MemoryError):
            self._end(NO_MEMORY)
        else:
            _LOG.error("a request could not go through its pipeline", exc_info=problem)
            self._end(Refusal(500, "a fault of the server; its log says more"))

    def _advance(self, path: Path, answer: object) -> None:
        while not self.is_over:
            try:
                need = path.flow.send(answer)
            except StopIteration as end:
                if path.done is None:
                    self._arrive(end.value)
                else:
                    path.done(path, end.value)
                return
            if isinstance(need, Ask):
                self._ask(path, self._members[need.member], need.tensors)
                return
            if isinstance(need, Fork):
                self._fork(path, need)
                return
            made = self._processor.compute(need, partial(self._take_computed, path))
            if made is None:
                return
            answer = made

    def _ask(self, path: Path, member: PipelineMember, tensors: Tensors) -> None:
        if self.first_ask_ns is None:
            self.first_ask_ns = member.now_ns()
        asked = member.ask(tensors, self.call, partial(self._take_answer, path, member))
        if asked is not None:
            path.waits_for = (member, asked)
            self._waiting.add(path)

    def _take_answer(self, path: Path, member: PipelineMember, answer: Answer | Refusal) -> None:
        path.waits_for = None
        self._waiting.discard(path)
        if isinstance(answer, Refusal):
            self._end(answer._replace(message=f"{member.name!r}: {answer.message}"))
            return
        self._has_answer = True
        # In a turn of its own: the rest of the member's batch is to be told before anything is computed here.
        self._loop.call_soon(self._go_on, path, answer)

    def _go_on(self, path: Path, answer: Answer) -> None:
        path.add(answer.times.queue_ns, answer.times.inference_ns)
        self._step(path, answer.outputs)

    def _take_computed(self, path: Path, result: Outputs | Exception) -> None:
        if isinstance(result, Exception):
            self._fail(result)
        else:
            self._step(path, result)

    def _fork(self, path: Path, fork: Fork) -> None:
        answers: list[Outputs | None] = [None] * len(fork.branches)
        left = len(answers)

        def join(number: int, branch: Path, outputs: Outputs) -> None:
            nonlocal left
            answers[number] = outputs
            left -= 1
            if not left:
                path.add(branch.queue_ns, branch.inference_ns)  # the last is what was waited for
                self._advance(path, answers)

        for number, flow in enumerate(fork.branches):
            self._advance(Path(flow, partial(join, number)), None)

    def _arrive(self, outputs: Outputs) -> None:
        self.is_over = True
        self._ended.arrive(self, outputs)

    def _end(self, refusal: Refusal) -> None:
        if not self.is_over:
            self.stop()
            self.refusal = refusal
            self._ended.give_up(self, refusal)
