"""A project's file: made, brought up to date, refused; and its log."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from threading import Barrier, Thread, Timer

import pytest
import sqlalchemy as sa

from suffrage.core.errors import DataError, SettingsError
from suffrage.core.records import Preference, Prompt, SoftPair
from suffrage.label.server.team_data import seen_raters
from suffrage.label.store import database, schema
from suffrage.label.store.contents import add_all, add_groups, groups
from suffrage.label.store.database import Store, driver_of, open_store, open_whole
from suffrage.label.store.events import events, log
from suffrage.label.store.guidelines import guideline_versions, guidelines, write_guidelines
from suffrage.label.store.migrations import MIGRATIONS, Migration, migrate
from suffrage.label.store.raters import add_rater, find_rater, raters
from suffrage.label.store.settings import Rules, rules, secret, setting, write_rules, write_setting
from tests.label.store.project import Clock, group


def test_a_new_project_has_every_table_and_opens_again(address: str) -> None:
    first = open_store(address)
    write_setting(first, "name", "élan 你好\x00", "team")
    first.close()
    again = open_store(address)
    assert set(sa.inspect(again.engine).get_table_names()) == set(schema.metadata.tables)
    assert setting(again, "name") == "élan 你好\x00"
    assert setting(again, "nothing") is None
    again.close()


def test_a_new_project_in_one_transaction_is_kept_whole_or_leaves_no_table(address: str) -> None:
    other = group(1).model_copy(update={"prompt": Prompt(id="p1", content="changed")})
    with pytest.raises(DataError, match="p1"), open_whole(address) as store:
        add_all(store, [[group(1)], [other]], [])
    engine = database._engine(address)
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()
    with open_whole(address) as store:
        add_groups(store, [group(1)])
    again = open_store(address)
    assert len(list(groups(again))) == 1
    again.close()


def test_the_last_migration_has_the_number_of_the_schema() -> None:
    assert [step.version for step in MIGRATIONS] == list(range(1, schema.VERSION + 1))


def test_an_older_project_gets_the_steps_it_lacks_and_keeps_its_rows(store: Store) -> None:
    write_guidelines(store, "be kind", "team")

    def add_column(connection: sa.Connection) -> None:
        connection.execute(sa.text("ALTER TABLE guidelines ADD COLUMN author TEXT DEFAULT 'x'"))

    later = schema.VERSION + 1
    steps = [*MIGRATIONS, Migration(later, "who wrote guidelines", add_column)]
    for _ in range(2):  # the second time there is nothing to do
        with store.transaction() as connection:
            assert migrate(connection, steps) == later
            found = connection.execute(sa.text("SELECT author FROM guidelines")).all()
            assert found == [("x",)]
    assert guidelines(store).text == "be kind"
    with pytest.raises(DataError, match=f"version {later} and this Suffrage knows up to"):
        _migrate_again(store)


def _migrate_again(store: Store) -> None:
    with store.transaction() as connection:
        migrate(connection)


def test_a_project_of_the_first_version_gets_a_place_for_preferences(address: str) -> None:
    said = Preference(pairs=(SoftPair(first=1, second=0),))
    old = open_store(address)
    write_guidelines(old, "be kind", "team")
    with old.engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE preferences"))
        connection.execute(schema.schema_version.update().values(version=1))
    old.close()
    store = open_store(address)
    add_groups(store, [group(1).model_copy(update={"preference": said})])
    assert [one.preference for one in groups(store)] == [said]
    assert guidelines(store).text == "be kind"
    store.close()


def test_a_step_that_fails_leaves_the_project_as_it_was(store: Store) -> None:
    def broken(connection: sa.Connection) -> None:
        connection.execute(sa.text("ALTER TABLE guidelines ADD COLUMN author TEXT"))
        raise RuntimeError("power cut")

    steps = [*MIGRATIONS, Migration(schema.VERSION + 1, "fails", broken)]
    with pytest.raises(RuntimeError, match="power cut"), store.transaction() as connection:
        migrate(connection, steps)
    names = {column["name"] for column in sa.inspect(store.engine).get_columns("guidelines")}
    assert names == {"version", "text", "created"}


def test_what_is_no_project_is_refused_with_its_name(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("hello, this is no database at all" * 50)
    with pytest.raises(DataError, match=r"notes\.txt: cannot be opened as a labelling project"):
        open_store(text)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    with pytest.raises(DataError, match=r"other\.db: holds other tables \(recipes\)"):
        open_store(other)
    with pytest.raises(SettingsError, match="mysql://x/y is no address of a labelling project"):
        open_store("mysql://x/y")


def test_a_password_is_not_shown_where_the_server_does_not_answer() -> None:
    with pytest.raises(DataError, match="labelling project") as caught:
        open_store("postgresql://user:hidden@127.0.0.1:1/x")
    assert "hidden" not in str(caught.value)


def test_sqlite_checks_references_and_waits_for_other_writers(tmp_path: Path) -> None:
    store = open_store(tmp_path / "a.db")
    with store.reading() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 30_000}
    skip = {"assignment_id": "none", "rater_id": "none", "reason": "", "created": ""}
    with pytest.raises(sa.exc.IntegrityError), store.transaction() as connection:
        connection.execute(schema.skips.insert(), skip)
    store.close()


def test_a_connection_of_sqlite_is_used_again_and_never_by_two(tmp_path: Path) -> None:
    store = open_store(tmp_path / "a.db")
    with store.reading() as one, store.reading() as two:
        both = {driver_of(one), driver_of(two)}
    assert len(both) == 2
    with pytest.raises(sa.exc.OperationalError), store.reading() as broken:
        broken.exec_driver_sql("no statement")
    with store.reading() as one, store.reading() as two:
        assert {driver_of(one), driver_of(two)} == both
    store.close()
    for closed in both:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            closed.execute("SELECT 1")


def test_a_connection_whose_commit_failed_keeps_nobody_waiting(tmp_path: Path) -> None:
    store = open_store(tmp_path / "a.db")
    names = ("id", "task_id", "rater_id", "created", "leased_until", "state")
    nobodys = schema.assignments.insert().values({**dict.fromkeys(names, "none"), "shown": []})

    def work() -> None:
        with store.transaction() as connection:
            connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")  # until the commit
            connection.execute(nobodys)

    with pytest.raises(sa.exc.IntegrityError, match="FOREIGN KEY"):
        work()
    write_guidelines(store, "Short.", "team")
    assert guidelines(store).text == "Short."
    with store.reading() as connection:
        assert connection.execute(sa.select(schema.assignments)).all() == []
    store.close()


def test_what_one_asks_of_a_connection_of_sqlite_does_not_hold_for_the_next(tmp_path: Path) -> None:
    store = open_store(tmp_path / "a.db")
    with store.reading() as connection:
        usual = dict(connection.get_execution_options())
    assert (list(events(store)), list(groups(store)), seen_raters(store)) == ([], [], [])
    with store.reading() as connection:
        assert dict(connection.get_execution_options()) == usual
    store.close()


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction() as connection:
        log(connection, "team", "first", {"size": log(connection, "team", "zero", {}) or 1 / 0})
    assert list(events(store)) == []


def test_events_keep_their_order_and_the_time_of_the_clock(store: Store, clock: Clock) -> None:
    for kind in ("one", "two", "three"):
        with store.transaction() as connection:
            log(connection, "team", kind, {"of": kind})
        clock.pass_(seconds=1.5)
    found = list(events(store))
    assert [event.kind for event in found] == ["one", "two", "three"]
    assert found[1].at == "2026-03-01T12:00:01.500000+00:00"
    assert [event.body for event in events(store, after=found[0].id)] == [
        {"of": "two"},
        {"of": "three"},
    ]


def test_guidelines_have_versions_and_the_same_text_adds_none(store: Store) -> None:
    assert (guidelines(store).version, guidelines(store).text) == (0, "")
    assert [
        write_guidelines(store, text, "team") for text in ("be kind", "be kind", "be fair")
    ] == [
        1,
        1,
        2,
    ]
    assert guidelines(store).text == "be fair"
    assert [version.text for version in guideline_versions(store)] == ["be kind", "be fair"]
    assert [event.body for event in events(store)] == [{"version": 1}, {"version": 2}]


def test_rules_are_read_as_written_and_checked(store: Store) -> None:
    assert rules(store) == Rules()
    write_rules(store, Rules(per_day=70, seconds_between=2.5), "team")
    write_rules(store, Rules(per_day=80, seconds_between=2.5), "team")
    assert rules(store) == Rules(per_day=80, seconds_between=2.5)
    assert [event.kind for event in events(store)] == ["rules", "rules"]


def test_everybody_who_asks_at_once_gets_the_same_secret(store: Store) -> None:
    start, found = Barrier(6), []

    def ask() -> None:
        start.wait()
        found.append(secret(store))

    threads = [Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    assert len(found[0]) >= 40


def test_a_file_that_is_just_being_made_is_waited_for(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")  # before the mode of its journal is changed
    Timer(0.3, other.execute, ("COMMIT",)).start()
    open_store(tmp_path / "a.db").close()
    other.close()


def test_a_project_opened_by_several_at_once_is_made_once(address: str) -> None:
    start, failures = Barrier(4), []

    def create() -> None:
        start.wait()
        try:
            open_store(address).close()
        except Exception as error:
            failures.append(error)

    threads = [Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_what_is_done_together_is_kept_whole_or_not_at_all(store: Store) -> None:
    with store.together() as whole:
        add_rater(whole, "Ann")
        assert [one.name for one in raters(whole)] == ["Ann"]
    with pytest.raises(ZeroDivisionError):
        _fail_after_adding(store)
    assert [one.name for one in raters(store)] == ["Ann"]


def _fail_after_adding(store: Store) -> None:
    with store.together() as whole:
        assert find_rater(whole, add_rater(whole, "Bob").id) is not None
        raise ZeroDivisionError
