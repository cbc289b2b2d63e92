"""What stands behind the numbers of a language model's tokens, and belongs beside them."""

from modeldyno.records.prompting import Prompting
from modeldyno.records.run import Summary
from modeldyno.records.workload import Workload
from modeldyno.units import format_duration, format_fraction


def note_tokens(summary: Summary, workload: Workload) -> list[str]:
    """Who counted the tokens, how they came, and what the prompts were; nothing for other loads."""
    tokens, prompting = summary.tokens, workload.prompting
    if tokens is None:
        return []
    notes = []
    streamed = f"{tokens.streamed:,} answers came in {tokens.pieces:,} pieces"
    if tokens.pieces and tokens.counted < tokens.streamed:
        notes.append(
            f"the server counted the tokens of {tokens.counted:,} of {tokens.streamed:,} answers that streamed; in the "
            "others each piece is taken for a token"
        )
    if tokens.pieces and tokens.pieces != tokens.tokens_in_pieces:
        each = tokens.tokens_in_pieces / tokens.pieces
        notes.append(
            f"{streamed} with {tokens.tokens_in_pieces:,} tokens, {each:.3g} each: inter-token latency is that of the "
            "pieces, time per output token that of the tokens"
        )
    if tokens.pieces_in_one_read:
        notes.append(
            f"{format_fraction(tokens.pieces_in_one_read / tokens.pieces)} of the pieces came in one read with the "
            "piece before and share its stamp: their gap of 0 says that they waited for each other on the way"
        )
    if summary.failures.get("timeout"):
        notes.append(
            f"a request that takes longer than {format_duration(workload.timeout_ns)} fails: long answers need a "
            "longer --timeout"
        )
    if tokens.empty:
        notes.append(f"{tokens.empty:,} answers had no content, and no first token")
    if prompting is not None:
        notes += _note_prompts(summary, prompting)
    return notes


def _note_prompts(summary: Summary, prompting: Prompting) -> list[str]:
    notes = []
    counted = summary.tokens.input_tokens.mean if summary.tokens is not None else None
    if prompting.prompt_tokens is not None:
        found = f"{counted.value:.4g} tokens in them" if counted is not None else "no tokens"
        cost = prompting.word_cost
        length = (
            f"{cost.tokens_a_word:.3g} tokens each and {cost.tokens_beside:.3g} beside, as the server counted in two "
            "prompts before"
            if cost is not None
            else "each in place of a token, for the server did not say before what it makes of them"
        )
        notes.append(
            f"the prompts are made of words, {prompting.mean_words:.4g} on average, {length}; in the run it counted "
            f"{found}"
        )
    if summary.requests > prompting.distinct:
        notes.append(
            f"{prompting.distinct:,} different prompts came again in {summary.requests:,} requests: a server that "
            "keeps what it knows of a prompt (a prefix cache) looks faster than it is on new ones"
        )
    return notes
