"""The world's own tokenizer: BPE over characters, bytes for what it never saw, a chat template.

Bytes alone would spend two merges on every Chinese character before the first word is learned, and
a small model would write broken characters; here each character of the corpus is a token from the
start, and any other text still survives a round trip.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

PAD, BEGIN, END, USER, ASSISTANT, SYSTEM = (
    f"<|{name}|>" for name in ("pad", "begin", "end", "user", "assistant", "system")
)
CHAT_TEMPLATE = (
    "{{ '<|begin|>' }}{% for turn in messages %}"
    "{{ '<|' + turn['role'] + '|>' + turn['content'] + '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
# Merges stay between punctuation marks but may span words: frequent phrases become one token.
PIECES = r"[^\p{P}\p{S}]+|[\p{P}\p{S}]"
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def train_tokenizer(texts: Sequence[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Learn `vocabulary` tokens (bytes and special tokens included) from the texts."""
    special = [PAD, BEGIN, END, USER, ASSISTANT, SYSTEM]
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(PIECES), "isolated")
    tokenizer.add_special_tokens(special)
    trainer = BpeTrainer(
        vocab_size=vocabulary - len(BYTES), special_tokens=special, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=_with_bytes(tokenizer),
        pad_token=PAD,
        bos_token=BEGIN,
        eos_token=END,
        additional_special_tokens=[USER, ASSISTANT, SYSTEM],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def _with_bytes(tokenizer: Tokenizer) -> Tokenizer:
    """The same tokenizer with a token a byte, which the trainer cannot add by itself."""
    described = json.loads(tokenizer.to_str())
    vocab: dict[str, int] = described["model"]["vocab"]
    vocab.update({name: len(vocab) + place for place, name in enumerate(BYTES)})
    described["model"]["byte_fallback"] = True
    rebuilt = Tokenizer.from_str(json.dumps(described))
    rebuilt.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return rebuilt
