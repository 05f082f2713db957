"""The tables of a labelling project: one database is one project.

Judgments and events are only ever added. What the queue asks for at every step is counted where it
changes, in the same transaction: `tasks.votes` (votes that stand), `tasks.load` (votes and live
leases) and `remaining` (tasks that can still be given, by purpose), so that the next task is found
by an index however much is stored.

Times are ISO 8601 UTC text of one length, so that they sort as text. Free text is stored as JSON:
PostgreSQL's text takes no NUL character, and an answer of a model may hold one. JSON is stored as
text: in a column of type JSON, SQLite would round large numbers.
"""

from __future__ import annotations

import json

import sqlalchemy as sa

from suffrage.core.records import Json

VERSION = 2  # of this schema: the number of the last migration
PURPOSES = ("work", "practice", "gold", "repeat")
SHARDS = 16  # rows of `remaining`, so that writers of PostgreSQL do not all wait for one row

metadata = sa.MetaData()


class JsonText(sa.types.TypeDecorator[Json]):
    """A JSON value in a text column; None is the column's NULL where it has one."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, *, nullable: bool = False) -> None:
        super().__init__()
        self.nullable = nullable

    def process_bind_param(self, value: Json, dialect: sa.Dialect) -> str | None:
        return None if value is None and self.nullable else json.dumps(value, allow_nan=False)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Json:
        return None if value is None else json.loads(value)


_json, _nullable_json = JsonText(), JsonText(nullable=True)

# Written into the statement: a partial index serves no query whose condition is a parameter
OPEN: sa.ColumnElement[str] = sa.literal_column("'open'")

schema_version = sa.Table("schema_version", metadata, sa.Column("version", sa.Integer))

settings = sa.Table(
    "settings",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", _json, nullable=False),
)

guidelines = sa.Table(
    "guidelines",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("text", _json, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
)

prompts = sa.Table(
    "prompts",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False, unique=True),
    sa.Column("content", _json, nullable=False),
    sa.Column("meta", _json, nullable=False),
)

completions = sa.Table(
    "completions",
    metadata,
    sa.Column("prompt_id", sa.ForeignKey("prompts.id"), primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("text", _json, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("seed", _nullable_json),
    sa.Column("settings", _json, nullable=False),
)

# What a file said of a prompt without saying who: it stands until somebody judges the prompt
preferences = sa.Table(
    "preferences",
    metadata,
    sa.Column("prompt_id", sa.ForeignKey("prompts.id"), primary_key=True),
    sa.Column("completions", _json, nullable=False),  # ids, which the places in `value` count
    sa.Column("value", _json, nullable=False),
)

tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("prompt_id", sa.ForeignKey("prompts.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("criterion", sa.Text, nullable=False),
    sa.Column("completions", _json, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("overlap", sa.Integer, nullable=False),  # raters at most
    sa.Column("wanted", sa.Integer, nullable=False),  # raters now: fewer until two disagree
    sa.Column("votes", sa.Integer, nullable=False),
    sa.Column("load", sa.Integer, nullable=False),
    sa.Column("expected", _nullable_json),  # best first, or the value; see store/expected.py
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("repeat_id", sa.Integer),  # the task that shows the same again to the same rater
    sa.Column("key", sa.Text, nullable=False, unique=True),  # the same plan again adds nothing
)
sa.Index("tasks_of_prompt", tasks.c.prompt_id)
_open = tasks.c.load < tasks.c.wanted
sa.Index(
    "tasks_to_give",
    tasks.c.purpose,
    tasks.c.load,
    tasks.c.position,
    sqlite_where=_open,
    postgresql_where=_open,
)

# How many tasks of each purpose can still be given; repeats: how many of these tasks bring one
remaining = sa.Table(
    "remaining",
    metadata,
    sa.Column("purpose", sa.Text, primary_key=True),
    sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("tasks", sa.Integer, nullable=False),
)

raters = sa.Table(
    "raters",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("seed", sa.Integer, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
    sa.Column("consented", sa.Text),
    sa.Column("withdrawn", sa.Text),
)

assignments = sa.Table(
    "assignments",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("task_id", sa.ForeignKey("tasks.id"), nullable=False),
    sa.Column("rater_id", sa.ForeignKey("raters.id"), nullable=False),
    sa.Column("shown", _json, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
    sa.Column("leased_until", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # open, done, skipped, expired; a repeat: due
    sa.Column("judged", sa.Integer),  # the number of the judgment that stands
    sa.Column("due", sa.Integer),  # a repeat comes after so many votes of its rater
    sa.UniqueConstraint("task_id", "rater_id"),
)
sa.Index(  # all that a rater's standing is counted from
    "assignments_of_rater",
    assignments.c.rater_id,
    assignments.c.task_id,
    assignments.c.state,
    assignments.c.judged,
    assignments.c.due,
)
_leased = assignments.c.state == OPEN
sa.Index(
    "assignments_open",
    assignments.c.rater_id,
    sqlite_where=_leased,
    postgresql_where=_leased,
)
sa.Index(
    "assignments_leased",
    assignments.c.leased_until,
    sqlite_where=_leased,
    postgresql_where=_leased,
)

judgments = sa.Table(
    "judgments",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),  # in the order they came
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("assignment_id", sa.ForeignKey("assignments.id")),  # none: imported
    sa.Column("task_id", sa.ForeignKey("tasks.id")),
    sa.Column("prompt_id", sa.ForeignKey("prompts.id"), nullable=False),
    sa.Column("rater_id", sa.ForeignKey("raters.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("criterion", sa.Text, nullable=False),
    sa.Column("value", _json, nullable=False),
    sa.Column("completions", _json, nullable=False),
    sa.Column("shown", _json, nullable=False),
    sa.Column("strength", sa.Integer),
    sa.Column("reason", _json, nullable=False),
    sa.Column("guideline", sa.Integer),
    sa.Column("seconds", sa.Float),
    sa.Column("client_id", sa.Text),
    sa.Column("supersedes", sa.Text),
    sa.Column("created", sa.Text),
    sa.UniqueConstraint("rater_id", "client_id"),
    sa.UniqueConstraint("prompt_id", "id"),  # records are unique within their prompt only
)
sa.Index("judgments_of_task", judgments.c.task_id)
sa.Index("judgments_of_rater", judgments.c.rater_id, judgments.c.created)

skips = sa.Table(
    "skips",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("assignment_id", sa.ForeignKey("assignments.id"), nullable=False),
    sa.Column("rater_id", sa.ForeignKey("raters.id"), nullable=False),
    sa.Column("reason", _json, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
)

drafts = sa.Table(
    "drafts",
    metadata,
    sa.Column("assignment_id", sa.ForeignKey("assignments.id"), primary_key=True),
    sa.Column("body", _json, nullable=False),
    sa.Column("saved", sa.Text, nullable=False),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("body", _json, nullable=False),
    sqlite_autoincrement=True,  # a number is never given twice
)
