"""The world's own language model: a small Llama trained here, at first use, on the world's text.

No weights are shipped or downloaded. The model is kept under the user's cache folder in a place
named by everything that made it, so a change of grammar, size or training makes a new one.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from suffrage.core.cache import cache_folder
from suffrage.core.files import build_folder
from suffrage.core.keys import content_key
from suffrage.core.runs import RunDirectory
from suffrage.data.encode import Branch, Tree
from suffrage.models.language_model import LanguageModel, describe
from suffrage.models.seed import set_seed
from suffrage.objectives.table import objective
from suffrage.train.examples import Batches, Example
from suffrage.train.loop import train
from suffrage.train.offline import OfflineStep, language_method
from suffrage.train.optimiser import LoopSettings, Optimiser
from suffrage.worlds.adaptation import World, load_world
from suffrage.worlds.tokenizer import ASSISTANT, BEGIN, END, USER, train_tokenizer

VERSION = 3  # raise when a change below makes another model from the same settings
TOKENIZER_DOCUMENTS = 8000
MICROBATCH_TOKENS = 8192
SHARED = 3  # texts that continue one beginning, which the forest computes once

Document = tuple[str, tuple[str, ...]]  # what is given, and the texts to be learned after it


@dataclass(frozen=True)
class BaseModelSettings:
    """Everything besides the world's text that determines the base model."""

    lang: str
    seed: int = 0
    vocabulary: int = 2048
    hidden: int = 128
    layers: int = 4
    heads: int = 4
    documents: int = 21_000
    batch_size: int = 15  # documents
    learning_rate: float = 5e-3

    def key(self, world: World) -> str:
        return content_key(
            VERSION, asdict(self), world.corpus(500, self.seed), world.passages(100, self.seed)
        )


def base_model(settings: BaseModelSettings) -> tuple[Path, bool]:
    """The model's folder, trained first if need be, and whether it was there already."""
    world = load_world(settings.lang)
    folder = cache_folder() / "models" / f"adaptation-{settings.lang}-{settings.key(world)}"
    if (folder / "config.json").exists():
        return folder, True
    bundle = _train(settings, world, folder.with_name(folder.name + ".run"))
    return build_folder(folder, bundle.save), False


def _train(settings: BaseModelSettings, world: World, run: Path) -> LanguageModel:
    documents = _documents(world, settings)
    texts = [given + text for given, learned in documents for text in learned]
    tokenizer = train_tokenizer(texts[:TOKENIZER_DOCUMENTS], settings.vocabulary)
    set_seed(settings.seed)
    model = LlamaForCausalLM(_config(settings, tokenizer))
    bundle = describe(f"base-{settings.lang}", model, tokenizer)
    examples = [_example(bundle, document, n) for n, document in enumerate(documents)]
    batches = Batches(len(examples), settings.batch_size // SHARED, settings.seed)
    loop = LoopSettings(
        steps=batches.per_epoch,
        learning_rate=settings.learning_rate,
        schedule="cosine",
        warmup=0.05,
        weight_decay=0.01,
        adam_betas=(0.9, 0.95),  # so few steps need a shorter memory
    )
    optimiser = Optimiser({"model": model}, loop)
    method = language_method(objective("sft"), {}, bundle, MICROBATCH_TOKENS)
    step = OfflineStep(examples, batches, method, optimiser)
    run.mkdir(parents=True, exist_ok=True)
    train(RunDirectory(run), optimiser, step, label="base model")
    return bundle


def _documents(world: World, settings: BaseModelSettings) -> list[Document]:
    """Conversations and, one in nine, plain passages."""
    chats = [
        (f"{BEGIN}{USER}{question}{END}{ASSISTANT}", _ended(answers))
        for question, answers in world.corpus(settings.documents // SHARED, settings.seed, SHARED)
    ]
    passages = world.passages(settings.documents // 8, settings.seed)
    plain = [(BEGIN, _ended(passages[i : i + SHARED])) for i in range(0, len(passages), SHARED)]
    # Mixed, because the tokenizer is trained on the first of them.
    mixed = chats + plain
    random.Random(settings.seed).shuffle(mixed)
    return mixed


def _ended(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(text + END for text in texts)


def _config(settings: BaseModelSettings, tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.hidden,
        intermediate_size=3 * settings.hidden,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


def _example(bundle: LanguageModel, document: Document, number: int) -> Example:
    def tokens(text: str) -> list[int]:
        ids: list[int] = bundle.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    given, learned = document
    return Example(str(number), Tree(tokens(given), tuple(Branch(tokens(t)) for t in learned)))
