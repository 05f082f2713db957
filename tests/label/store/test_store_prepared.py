"""A statement compiled once does what SQLAlchemy makes of it, on both databases."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from suffrage.label.store.database import Store
from suffrage.label.store.prepared import Prepared, insert_into
from suffrage.label.store.schema import OPEN, assignments, events, settings

_NAMED = sa.select(settings.c.key, settings.c.value).where(settings.c.key == sa.bindparam("of"))


def test_json_goes_in_and_comes_out(store: Store) -> None:
    new = Prepared(settings.insert().values(key=sa.bindparam("name"), value=sa.bindparam("what")))
    value = {"n": [1, None, "多\x00"], "big": 2**80}
    with store.transaction() as connection:
        new.run(connection, name="k", what=value)
        row = Prepared(_NAMED).first(connection, of="k")
    assert (row.key, row.value) == ("k", value)


def test_what_is_not_there_is_none_and_constants_need_no_value(store: Store) -> None:
    held = sa.select(assignments.c.id).where(assignments.c.state == OPEN, assignments.c.due == 7)
    with store.reading() as connection:
        assert Prepared(_NAMED).first(connection, of="k") is None
        assert Prepared(_NAMED).scalar(connection, of="k") is None
        assert Prepared(_NAMED).all(connection, of="k") == []
        assert Prepared(held.limit(3)).all(connection) == []


def test_rows_come_in_order_and_a_number_is_told(store: Store) -> None:
    new = insert_into(events, without="id")
    with store.transaction() as connection:
        row = {"at": "now", "actor": "x", "kind": "k", "body": {"b": 1.5}}
        numbers = [new.run(connection, **row) for _ in range(3)]
        chosen = sa.select(events).where(events.c.kind == "k").order_by(events.c.id.desc())
        found = Prepared(chosen.limit(2)).all(connection)
    assert [one.id for one in found] == [numbers[2], numbers[1]]
    assert found[0].body == {"b": 1.5}


def test_it_belongs_to_the_transaction(store: Store) -> None:
    new = Prepared(settings.insert().values(key=sa.bindparam("name"), value=sa.bindparam("what")))
    with pytest.raises(RuntimeError), store.transaction() as connection:  # noqa: PT012
        new.run(connection, name="k", what=1)
        raise RuntimeError
    with store.reading() as connection:
        assert Prepared(_NAMED).first(connection, of="k") is None


def test_a_value_twice_where_one_is_allowed_is_told_as_sqlalchemy_does(store: Store) -> None:
    new = Prepared(settings.insert().values(key=sa.bindparam("name"), value=sa.bindparam("what")))
    with pytest.raises(sa.exc.IntegrityError), store.transaction() as connection:  # noqa: PT012
        new.run(connection, name="k", what=1)
        new.run(connection, name="k", what=2)
