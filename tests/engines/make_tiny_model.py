"""Write a tiny language model of random weights with a byte-level tokenizer; run by the engine's own Python.

Usage: python make_tiny_model.py DIRECTORY < words.txt
"""

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TEMPLATE = "{% for one in messages %}<|{{ one.role }}|>{{ one.content }}\n{% endfor %}<|assistant|>"


def train_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """Byte pairs of the words, each with and without a blank before it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1500,
        special_tokens=["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    end = "<|end|>"
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=end, pad_token=end, chat_template=TEMPLATE)


def main(directory: Path) -> None:
    """Train the tokenizer, draw the weights, write both."""
    torch.manual_seed(1)
    words = sys.stdin.read().split()
    tokenizer = train_tokenizer([*words, *(f" {one}" for one in words)])
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    model.generation_config.eos_token_id = None  # so that every answer is as long as was asked
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
