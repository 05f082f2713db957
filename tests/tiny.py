"""Models, tokenizers and groups small enough to be made anew in every test; nothing is downloaded.

The weights are random but large (`initializer_range` 0.3): with the usual 0.02 a wrong mask or
position moves the output so little that a test would pass over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    CONFIG_MAPPING,
    AutoModelForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from suffrage.core.records import Completion, Group, Preference, Prompt, SoftPair
from suffrage.data.encode import Branch, Tree
from suffrage.models.language_model import LanguageModel, describe

PAD, BOS, EOS, END_OF_TURN = "<pad>", "<s>", "</s>", "<|end|>"
SPECIAL = (PAD, BOS, EOS, END_OF_TURN)
MERGES = (("t", "h"), ("th", "e"), ("a", "b"), ("i", "n"), ("in", "g"))
CHATML = (
    "{% for m in messages %}<s>{{ m.role }}\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)
LLAMA2 = (
    "{% for m in messages %}{% if m.role == 'user' %}<s>[INST] {{ m.content }} [/INST]"
    "{% else %} {{ m.content }} </s>{% endif %}{% endfor %}"
)
NO_END = (
    "{% for m in messages %}{{ m.role }}> {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant> {% endif %}"
)

# What a family's config calls the sizes below, and what else it needs.
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 128},
    "qwen3": {"head_dim": 4},
    "olmo2": {},
    "phi": {},
    "gpt_neox": {"num_key_value_heads": 4},
    "cohere": {"logit_scale": 0.37},
    "granite": {"logits_scaling": 2.5, "embedding_multiplier": 1.7, "attention_multiplier": 0.4},
    "gemma2": {"head_dim": 4, "sliding_window": 64, "final_logit_softcapping": 3.0},
    "mistral": {"sliding_window": 64},
    "gpt_neo": {
        "num_layers": 2,
        "num_heads": 4,
        "attention_types": [[["global", "local"], 1]],
        "window_size": 64,
    },
    "bloom": {"n_layer": 2, "n_head": 4},
}


def tokenizer(
    template: str | None = None, *, bos: bool = False, eos: bool = False, pad: str | None = PAD
) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of 265 tokens that joins `the`, `ab` and `ing`.

    bos, eos: whether it opens and closes a plain text with these tokens.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    joined = ["".join(pair) for pair in MERGES]
    vocabulary = {token: i for i, token in enumerate((*SPECIAL, *alphabet, *joined))}
    inner = Tokenizer(models.BPE(vocabulary, list(MERGES)))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    if bos or eos:
        single = " ".join([BOS] * bos + ["$A"] + [EOS] * eos)
        named = [(token, vocabulary[token]) for token in (BOS, EOS)]
        inner.post_processor = processors.TemplateProcessing(single=single, special_tokens=named)
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token=BOS, eos_token=EOS, clean_up_tokenization_spaces=False
    )
    made.add_special_tokens({"additional_special_tokens": [END_OF_TURN]})
    if pad is not None:
        made.pad_token = pad
    made.chat_template = template
    return made


def model(family: str = "llama", seed: int = 0, **changes: Any) -> PreTrainedModel:
    """A random model of a family: 16 hidden units, 2 layers, 265 tokens, a context of 128."""
    sizes = {
        "vocab_size": 265,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        "initializer_range": 0.3,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    config = CONFIG_MAPPING[family](**{**sizes, **FAMILIES[family], **changes})
    torch.manual_seed(seed)
    return AutoModelForCausalLM.from_config(config)


def bundle(
    family: str = "llama", seed: int = 0, template: str | None = None, **changes: Any
) -> LanguageModel:
    """A random model with its tokenizer, as the loader hands it out."""
    return describe(family, model(family, seed, **changes), tokenizer(template))


def saved(folder: Path, family: str = "llama", seed: int = 0, template: str | None = None) -> Path:
    """A random model in a folder, as a user has one."""
    bundle(family, seed, template).save(folder)
    return folder


def tree(seed: int, trunk: int, branches: Sequence[int], unscored: int = 0) -> Tree:
    """Random tokens: a trunk of this length and branches of these."""
    generator = torch.Generator().manual_seed(seed)

    def tokens(count: int) -> list[int]:
        drawn: list[int] = torch.randint(4, 265, (count,), generator=generator).tolist()
        return drawn

    return Tree(tokens(trunk), tuple(Branch(tokens(size), unscored) for size in branches))


def group(
    name: str, prompt: str, texts: Sequence[str], preference: Preference | None = None
) -> Group:
    """A prompt with completions; without a preference, the first is preferred to the second."""
    completions = tuple(
        Completion(id=f"{name}-{i}", prompt_id=name, text=text) for i, text in enumerate(texts)
    )
    if preference is None:
        preference = Preference(pairs=(SoftPair(first=0, second=1),))
    return Group(
        prompt=Prompt(id=name, content=prompt), completions=completions, preference=preference
    )
