"""Every format Suffrage reads, one row each; the first that knows a row takes it.

To add one: write its reader, a `Format` that recognises its own fields, and put it here before
any format whose fields are a subset of its own.
"""

from __future__ import annotations

from suffrage.data.readers import (
    answers,
    argilla,
    label_studio,
    native,
    preferences,
    prompts,
    rankings,
    stance,
    upvotes,
)
from suffrage.data.readers.row import Format

GROUP_FORMATS: tuple[Format, ...] = (
    native.GROUPS,
    label_studio.LABEL_STUDIO,
    label_studio.LABEL_STUDIO_MIN,
    argilla.ARGILLA,
    argilla.ARGILLA_FLAT,
    rankings.RANKED,
    upvotes.STACK_EXCHANGE,
    upvotes.THREAD,
    stance.STANCE,
    preferences.EXPLICIT,
    preferences.SHAREGPT,
    preferences.MESSAGES,
    preferences.TASK,
    preferences.HH,
    preferences.IMPLICIT,
    answers.UNPAIRED,
    answers.THUMBS,
    answers.CONVERSATION,
    answers.SHAREGPT,
    answers.COMPLETION,
    answers.TASK,
)
PROMPT_FORMATS: tuple[Format, ...] = (prompts.MT_BENCH, prompts.PROMPTS, prompts.TASK)


def describe(formats: tuple[Format, ...]) -> str:
    """The formats and their fields, for the end of an error sentence."""
    return "; ".join(f"{form.name} ({', '.join(form.fields)})" for form in formats)
