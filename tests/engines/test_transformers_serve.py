"""Loading `transformers serve`: it names its end by a finish reason and no `[DONE]`, counts tokens unasked, and puts
several tokens in a piece where one alone is no whole character. All this came of running it, not of its documents.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.api.load.questions.servers import Loaded, load
from tests.engines.conftest import Engine

from modeldyno.loadgen.recorder import read_run, read_tokens

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
TOKENS = 12


def _load(engine: Engine, out: Path, *options: str) -> Loaded:
    plan = ("--rate", "10", "--timeout", "60s", "--model", engine.model, "--prompt-tokens", "uniform:4-32")
    return load(engine.url, out, *plan, "--output-tokens", str(TOKENS), *options)


def _tokens(loaded: Loaded) -> Any:
    assert {} == loaded.failures, loaded.said
    return loaded.run["summary"]["tokens"]


@pytest.mark.parametrize("protocol", ("openai-chat", "openai-completions"))
def test_every_token_of_every_stream_is_counted_and_stamped(engine: Engine, tmp_path: Path, protocol: str) -> None:
    slo = "ttft_p50<60s, itl_p50<60s, tpot_p50<60s, tokens_per_s>0.1"
    loaded = _load(engine, tmp_path / "x", "--protocol", protocol, "--slo", slo)
    tokens = _tokens(loaded)
    assert (60, 60, 0) == (tokens["streamed"], tokens["counted"], tokens["empty"])
    assert (TOKENS, TOKENS) == (tokens["output_tokens"]["least"], tokens["output_tokens"]["largest"])
    assert 60 * TOKENS == tokens["tokens_in_pieces"] >= tokens["pieces"] >= 60
    # 18 were asked on average; of how many words they are made, two prompts before the load have told.
    assert 13 < tokens["input_tokens"]["mean"]["value"] < 23
    _, requests = read_run(tmp_path / "x")
    pieces = read_tokens(tmp_path / "x")
    assert tokens["pieces"] == len(pieces)
    moments = np.stack([requests[name] for name in ("sent_ns", "first_token_ns", "last_token_ns", "done_ns")])
    assert (np.diff(moments, axis=0) >= 0).all()
    # A model that computes takes time for each token: a client that stamped them late would see them come at once.
    assert (moments[2] > moments[1]).mean() > 0.9
    assert {"pass"} == {one["verdict"] for one in loaded.run["verdict"]["objectives"]} - {"cannot_tell"}


def test_answers_in_one_piece_have_the_same_tokens(engine: Engine, tmp_path: Path) -> None:
    tokens = _tokens(_load(engine, tmp_path / "x", "--protocol", "openai-chat", "--no-stream"))
    assert (0, 60, TOKENS) == (tokens["streamed"], tokens["counted"], tokens["output_tokens"]["largest"])


def test_what_the_engine_refuses_is_a_failure_by_its_status(engine: Engine, tmp_path: Path) -> None:
    loaded = _load(engine, tmp_path / "x", "--protocol", "openai-chat", "--body", '{"no_such_field": 1}')
    assert {"http_422": 60} == loaded.failures
