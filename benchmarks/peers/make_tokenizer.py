"""A small tokenizer of its own for clients that will not work without one: `make_tokenizer.py DIRECTORY`.

It runs in AIPerf's environment and learns from a text that comes with it. The word that the streamer repeats becomes
one token, so that all clients count the same.
"""

import sys
from importlib.resources import files

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast


def main(directory: str) -> None:
    """Train it and write it down."""
    text = (files("aiperf") / "dataset" / "generator" / "assets" / "shakespeare.txt").read_text()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=4_000,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*text.splitlines(), " word" * 10_000], trainer)
    if len(tokenizer.encode(" word" * 64).ids) != 64:
        sys.exit("the streamer's word did not become one token")
    marks = {"bos_token": "<s>", "eos_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks).save_pretrained(directory)


if __name__ == "__main__":
    main(sys.argv[1])
