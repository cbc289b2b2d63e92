"""How many tokens a word is to a server: asked before the load, so that made prompts have the length that was asked."""

import msgspec

from modeldyno.data.prompts import make_prompts
from modeldyno.loadgen.caller import Caller
from modeldyno.records.prompting import WordCost, parse_lengths
from modeldyno.seeds import DEFAULT_SEED
from modeldyno.wire.errors import WireError
from modeldyno.wire.openai import (
    Endpoint,
    Generation,
    ReportedError,
    encode_chat,
    encode_completion,
    encode_embeddings,
    read_answer,
)

_FEW, _MANY = 16, 144
_JSON = (("Content-Type", "application/json"), ("Accept", "application/json"))


def ask_word_cost(caller: Caller, path: str, endpoint: Endpoint, generation: Generation) -> WordCost | None:
    """The line through the server's counts of two prompts; None where it does not count, or does not answer them.

    Its slope is tokens a word, its intercept what the template and the system message add.

    Raises:
        TargetError: the server cannot be reached, or does not answer in time.
    """
    single = msgspec.structs.replace(generation, streams=False, ignore_eos=False)
    counts = []
    for words in (_FEW, _MANY):
        text = make_prompts(parse_lengths(str(words)), count=1, seed=DEFAULT_SEED)[0].text
        if endpoint == "chat":
            body = encode_chat([{"role": "user", "content": text}], single, 1)
        elif endpoint == "completions":
            body = encode_completion(text, single, 1)
        else:
            body = encode_embeddings([text], single)
        reply = caller.call("POST", path, body, _JSON)
        if reply.status != 200:
            return None  # the load will count it as the failure that it is
        try:
            counts.append(read_answer(endpoint, reply.body).input_tokens)
        except (WireError, ReportedError):
            return None
    tokens_a_word = (counts[1] - counts[0]) / (_MANY - _FEW)
    if min(counts) < 0 or tokens_a_word <= 0:
        return None
    return WordCost(tokens_a_word=tokens_a_word, tokens_beside=counts[0] - _FEW * tokens_a_word)
