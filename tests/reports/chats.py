"""Runs of a language model, judged as real ones are: one that streams, one whose answers come in one piece."""

import numpy as np
from msgspec.structs import replace
from tests.reports import samples
from tests.stats.streams import MS, fail, make_stream

from modeldyno.records.objective import parse_objectives
from modeldyno.records.prompting import Prompting, parse_lengths
from modeldyno.records.requests import Outcome
from modeldyno.records.run import Run
from modeldyno.records.workload import ProtocolName
from modeldyno.stats.judge import judge_run
from modeldyno.stats.summary import summarise

SLO = "ttft_p99<50ms, itl_p99<10ms, tpot_p95<8ms, tokens_per_s>1000"


def streamed() -> tuple[np.ndarray, np.ndarray]:
    """3,000 requests at 100/s of 16 tokens in 15 pieces, a few of which fail."""
    rows, pieces = make_stream(3000, tokens=15)
    random = np.random.default_rng(7)
    shifts = np.cumsum(random.exponential(MS / 2, (3000, 15)), axis=1).astype(np.int64)
    pieces["moment_ns"] += shifts.reshape(-1)
    pieces["moment_ns"][3::150] = pieces["moment_ns"][2::150]
    rows["first_token_ns"], rows["last_token_ns"] = pieces["moment_ns"][::15], pieces["moment_ns"][14::15]
    rows["done_ns"] = rows["last_token_ns"] + 30_000
    rows["output_tokens"] = 16
    rows["measured"][:100] = False
    rows["sent_bytes"], rows["received_bytes"] = 700, 4000
    return fail(rows, pieces, slice(500, 3000, 500), Outcome.STREAM_CUT)


def run_streamed() -> Run:
    return _run(*streamed(), protocol="openai-chat")


def run_in_one_piece() -> Run:
    rows, pieces = streamed()
    rows["first_token_ns"] = rows["last_token_ns"] = -1
    return _run(rows, pieces[:0], protocol="openai-completions")


def run_embeddings() -> Run:
    rows, pieces = streamed()
    rows["first_token_ns"] = rows["last_token_ns"] = rows["output_tokens"] = -1
    return _run(rows, pieces[:0], protocol="openai-embeddings")


def _run(rows: np.ndarray, pieces: np.ndarray, *, protocol: ProtocolName) -> Run:
    base = samples.run()
    assert base.effective is not None
    streams = len(pieces) > 0
    generates = protocol != "openai-embeddings"
    prompting = Prompting(
        source="made",
        distinct=2000,
        mean_words=7.0,
        prompt_tokens=parse_lengths("normal:7,2"),
        output_tokens=parse_lengths("16") if generates else None,
        streams=streams,
    )
    workload = replace(
        base.requested,
        protocol=protocol,
        model="tiny-chat",
        rate_per_s=100.0,
        arrivals="constant",
        requests=2900,
        warmup_requests=100,
        prompting=prompting,
    )
    objectives = parse_objectives(SLO if streams else "p99<200ms")
    summary = summarise(rows, workload, objectives, tokens=pieces)
    verdict = judge_run(
        summary, rows, workload, base.effective, objectives, interrupted=False, floor=base.floor, tokens=pieces
    )
    bare = replace(base, server=None, metrics=(), activity=None, gpus=(), low_load=None, queueing=None)
    return replace(bare, requested=workload, objectives=objectives, summary=summary, verdict=verdict)
