"""Streamed answers whose every token has a known moment: what the instrument reports of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import modeldyno
from modeldyno.api.load.questions.ask import Ask
from modeldyno.api.load.questions.prompts import Prompts
from modeldyno.api.load.workloads import Shape
from modeldyno.loadgen.recorder import read_run, read_tokens
from modeldyno.records.prompting import parse_lengths
from modeldyno.records.requests import Outcome
from modeldyno.records.run import Run, TokenSummary
from modeldyno.records.workload import ProtocolName
from modeldyno.testing.streaming import Streaming
from modeldyno.testing.token_streamer import token_streamer
from modeldyno.testing.token_truth import StreamFate, TokenTruth

from .accounts import ClockOffset

MS = 1_000_000
TOKENS = 16


class TwoAccounts(NamedTuple):
    run: Run
    rows: np.ndarray
    pieces: np.ndarray
    truth: TokenTruth

    @property
    def failures(self) -> dict[str, int]:
        assert self.run.summary is not None
        return self.run.summary.failures

    @property
    def tokens(self) -> TokenSummary:
        assert self.run.summary is not None
        assert self.run.summary.tokens is not None
        return self.run.summary.tokens

    @property
    def streams(self) -> np.ndarray:
        """What the server streamed: a load may ask something else first, as a whole."""
        return np.asarray(self.truth.answers[self.truth.answers["tokens"] > 0])

    def first_tokens_ns(self) -> np.ndarray:
        return np.asarray(self.rows["first_token_ns"] - self.rows["sent_ns"])

    def gaps_ns(self) -> np.ndarray:
        """From piece to piece within each answer; all have as many."""
        moments = self.pieces["moment_ns"].reshape(len(self.rows), -1)
        return np.diff(moments, axis=1).ravel()

    def offset(self) -> ClockOffset:
        """The nth piece does not come before the nth was written, nor the nth request before the nth was sent."""
        written, came = np.sort(self.truth.moments_ns), np.sort(self.pieces["moment_ns"])
        arrived, sent = np.sort(self.streams["arrived_ns"]), np.sort(self.rows["sent_ns"])
        return ClockOffset(int((written - came).max()), int((arrived - sent).min()))


Stream = Callable[..., TwoAccounts]


@pytest.fixture
def stream(tmp_path: Path) -> Stream:
    """Load a streamer as a user would, and take both accounts."""

    def run(
        streaming: Streaming,
        *,
        protocol: ProtocolName = "openai-chat",
        prompts: Prompts | None = None,
        rate_per_s: float = 200,
        **shape: Any,
    ) -> TwoAccounts:
        asked = Prompts(output_tokens=parse_lengths(str(TOKENS))) if prompts is None else prompts
        with token_streamer(streaming) as streamer:
            modeldyno.load(
                streamer.url,
                rate_per_s=rate_per_s,
                ask=Ask(protocol=protocol, prompts=asked),
                shape=Shape(**{"warmup_ns": 0, "connections": 64, "requests": 100, **shape}),
                out=tmp_path / "stream.run",
            )
            truth = streamer.truth()
        record, rows = read_run(tmp_path / "stream.run")
        return TwoAccounts(record, rows, read_tokens(tmp_path / "stream.run"), truth)

    return run


def test_every_token_is_told_with_its_moment(stream: Stream) -> None:
    """One run for all that can be said of it: loads take seconds."""
    told = stream(Streaming(first_token_ns=60 * MS, gap_ns=4 * MS, role_first=True))
    every_token_is_there(told)
    the_two_accounts_fit_on_one_clock(told)
    the_report_is_of_these_tokens(told)
    assert told.first_tokens_ns().min() >= 60 * MS


@pytest.mark.real_time
def test_to_a_token_is_added_the_way_and_nothing_else(stream: Stream) -> None:
    told = stream(Streaming(first_token_ns=60 * MS, gap_ns=4 * MS, role_first=True))
    # The head and the role were there long before: who takes them for the first token reports no wait at all.
    assert (told.rows["first_byte_ns"] - told.rows["sent_ns"]).min() < 30 * MS
    offset = told.offset()
    assert offset.high_ns - offset.low_ns < 20 * MS
    # To each first token the way there and back is added, and next to nothing to the luckiest one.
    added_ns = np.sort(told.first_tokens_ns()) - np.sort(told.truth.first_tokens_ns())
    assert added_ns.min() < 20 * MS
    # What the way adds to one token of an answer it adds to the next: the gaps are the server's on average, but for
    # what a stall adds to the last tokens of the answers that it met.
    assert pytest.approx(told.truth.gaps_ns().mean(), abs=2 * MS) == told.gaps_ns().mean()


def every_token_is_there(told: TwoAccounts) -> None:
    assert {} == told.failures
    assert 100 == len(told.rows) == len(told.streams)
    assert [TOKENS] == np.unique(told.rows["output_tokens"]).tolist() == np.unique(told.streams["tokens"]).tolist()
    assert 100 * TOKENS == len(told.pieces) == len(told.truth.moments_ns)
    assert np.all(told.rows["last_token_ns"] <= told.rows["done_ns"])


def the_two_accounts_fit_on_one_clock(told: TwoAccounts) -> None:
    assert told.offset().is_possible
    assert np.all(np.sort(told.first_tokens_ns()) >= np.sort(told.truth.first_tokens_ns()))


def the_report_is_of_these_tokens(told: TwoAccounts) -> None:
    tokens = told.tokens
    latencies = (
        (tokens.time_to_first_token_from_send, told.first_tokens_ns()),
        (tokens.time_to_first_token, told.rows["first_token_ns"] - told.rows["planned_ns"]),
        (tokens.inter_token_latency, told.gaps_ns()),
        (tokens.time_per_output_token, told.gaps_ns().reshape(100, -1).mean(axis=1)),
    )
    for latency, taken_ns in latencies:
        assert latency.max_ns is not None
        assert pytest.approx(taken_ns.max()) == latency.max_ns.value
        # A mean is refused where the machine made too many of the few requests wait alike.
        assert latency.mean_ns is None or pytest.approx(taken_ns.mean()) == latency.mean_ns.value


def test_tokens_that_come_in_one_piece_of_the_stream_are_all_counted(stream: Stream) -> None:
    told = stream(Streaming(first_token_ns=5 * MS, gap_ns=0), protocol="openai-completions", rate_per_s=300)
    assert {} == told.failures
    assert 100 * TOKENS == len(told.pieces)
    assert told.gaps_ns().min() >= 0
    assert 0 == np.median(told.gaps_ns())


def test_streams_that_end_in_the_wrong_way_are_counted_by_kind(stream: Stream) -> None:
    streaming = Streaming(first_token_ns=MS, gap_ns=MS, cut_every=5, unfinished_every=7, hang_every=11)
    told = stream(streaming, requests=150, rate_per_s=300, timeout_ns=1_500 * MS)
    fates = {fate: int((told.streams["fate"] == fate).sum()) for fate in StreamFate}
    assert {"disconnected", "stream_cut", "timeout"} == set(told.failures)
    # Answers number 35, 70, ... are cut and no others of the multiples of 7: the first that holds is done.
    assert 30 == told.failures["disconnected"] == fates[StreamFate.CUT]
    assert 17 == told.failures["stream_cut"] == fates[StreamFate.UNFINISHED]
    assert 10 == told.failures["timeout"]
    assert 93 == int((told.rows["outcome"] == Outcome.OK).sum()) == fates[StreamFate.FINISHED]


def test_an_answer_as_a_whole_comes_after_its_last_token(stream: Stream) -> None:
    prompts = Prompts(output_tokens=parse_lengths(str(TOKENS)), streams=False)
    told = stream(Streaming(first_token_ns=5 * MS, gap_ns=2 * MS), prompts=prompts, rate_per_s=300)
    assert {} == told.failures
    assert (told.rows["done_ns"] - told.rows["sent_ns"]).min() >= (5 + 2 * (TOKENS - 1)) * MS
    assert [TOKENS] == np.unique(told.rows["output_tokens"]).tolist()


def test_vectors_are_answers_too(stream: Stream) -> None:
    told = stream(Streaming(), protocol="openai-embeddings", prompts=Prompts(), rate_per_s=300)
    assert {} == told.failures
    assert np.all(told.rows["input_tokens"] > 0)


@pytest.mark.slow
@pytest.mark.real_time
def test_time_to_first_token_and_gaps_are_within_a_fifth_of_a_millisecond(stream: Stream) -> None:
    """At the median, against the streamer's own account, on a quiet machine."""
    told = stream(Streaming(first_token_ns=20 * MS, gap_ns=5 * MS), rate_per_s=100, requests=1000, connections=128)
    added_ns = np.sort(told.first_tokens_ns()) - np.sort(told.truth.first_tokens_ns())
    assert np.median(added_ns) < MS / 5
    assert abs(np.median(told.gaps_ns()) - np.median(told.truth.gaps_ns())) < MS / 5
