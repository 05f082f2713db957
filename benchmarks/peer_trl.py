"""The same work by TRL (`pip install trl==1.16.0`), for `offline.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

COMMON: dict[str, Any] = {
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "report_to": [],
    "save_strategy": "no",
    "logging_steps": 1,
    "max_length": None,
    "disable_tqdm": True,
}


def trainer(method: str, model: Path, rows: list[dict[str, Any]], out: Path, **args: Any) -> Any:
    """A TRL trainer ready for `.train()`; its own preparation of the data is done."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    settings = {**COMMON, "output_dir": str(out), **args}
    data = Dataset.from_list(rows)
    if method == "reward":
        from trl import RewardConfig, RewardTrainer

        scorer = AutoModelForSequenceClassification.from_pretrained(model, num_labels=1)
        scorer.config.pad_token_id = tokenizer.pad_token_id
        return RewardTrainer(
            scorer, args=RewardConfig(**settings), train_dataset=data, processing_class=tokenizer
        )
    policy = AutoModelForCausalLM.from_pretrained(model)
    if method == "dpo":
        from trl import DPOConfig, DPOTrainer

        args_of = DPOConfig(beta=0.1, **settings)
        return DPOTrainer(policy, None, args_of, train_dataset=data, processing_class=tokenizer)
    if method == "kto":
        from trl import KTOConfig, KTOTrainer

        args_of = KTOConfig(beta=0.1, **settings)
        return KTOTrainer(
            policy, None, args=args_of, train_dataset=data, processing_class=tokenizer
        )
    from trl import SFTConfig, SFTTrainer

    args_of = SFTConfig(completion_only_loss=True, **settings)
    return SFTTrainer(policy, args_of, train_dataset=data, processing_class=tokenizer)
