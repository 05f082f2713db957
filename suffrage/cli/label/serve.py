"""`suffrage label serve`: the page, on the embedded world unless other data is there."""

from __future__ import annotations

import argparse
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from suffrage.cli.arguments import parse, print_json, users_language, whole
from suffrage.cli.label.project import (
    ADDRESS,
    Read,
    add_plan,
    all_or_nothing,
    label_parser,
    plans,
    read_files,
    told,
)
from suffrage.cli.main import Parser
from suffrage.core.errors import SettingsError
from suffrage.label.links import link, rater_token, team_token
from suffrage.label.server import Settings, serve, serve_by
from suffrage.label.store.contents import TaskPlan, add_all
from suffrage.label.store.database import Store, open_store
from suffrage.label.store.progress import Progress, progress
from suffrage.label.store.raters import invite
from suffrage.label.store.settings import secret, write_setting

QUESTIONS, ANSWERS = 50, 4  # of the embedded world
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def run(words: Sequence[str]) -> int:
    args = parse(_parser(), words)
    settings = _settings(args)
    _check_free(args.host, args.port)
    asked, read = plans(args), read_files(args.data or ())
    notes, ignored = _project(args, read, asked, _options(words))
    store = open_store(args.db)
    address = args.address or f"http://{_seen(args.host)}:{args.port}"
    write_setting(store, ADDRESS, address, "team")
    links = {"db": args.db, "to_vote": _rater_link(store, address), "team": _team(store, address)}
    if args.json:
        print_json({**links, "ignored": ignored})
    else:
        _tell(args, notes, progress(store, store.clock()), links)
    with suppress(KeyboardInterrupt):  # which is how it ends; requests under way were answered
        if args.workers > 1:
            store.close()
            serve_by(args.workers, args.db, args.host, args.port, settings)
        else:
            serve(store, args.host, args.port, settings)
    return 0


def _parser() -> Parser:
    parser = label_parser("serve")
    parser.add_argument("--data", nargs="+", help="groups to judge, of any format; unset: our own")
    add_plan(parser)
    page = parser.add_argument_group("the page")
    page.add_argument("--host", default="127.0.0.1", help="0.0.0.0 opens it to the network")
    page.add_argument("--port", type=whole(1, 1 << 16), default=8000, help="to listen on")
    page.add_argument("--workers", type=whole(1), default=1, help="processes that serve it")
    page.add_argument("--address", help="what links begin with, behind a proxy: https://HOST")
    page.add_argument("--title", default="Suffrage", help="of the project")
    page.add_argument("--consent", help="a Markdown file to which raters must agree first")
    page.add_argument("--lang", choices=("zh", "en"), help="of the embedded world")
    return parser


def _check_free(host: str, port: int) -> None:
    """Say so before anything is printed where the page cannot listen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family):
            pass
    except OSError as error:
        raise SettingsError(
            f"the page cannot listen on {host}, port {port} ({error.strerror or error}); choose "
            "another by --port."
        ) from error


def _seen(host: str) -> str:
    """The host as a browser on this machine names it."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else quote(host)


def _settings(args: argparse.Namespace) -> Settings:
    consent = ""
    if args.consent:
        try:
            consent = Path(args.consent).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{args.consent} cannot be read ({error}); name a text.") from error
    https = (args.address or "").startswith("https://")
    return Settings(
        title=args.title, consent=consent, secure_cookie=https, behind_proxy=bool(args.address)
    )


def _options(words: Sequence[str]) -> list[str]:
    """The options among these words that only say what is made of new data."""
    plan = label_parser("serve")
    known = len(plan._actions)
    add_plan(plan)
    names = [action.option_strings[0] for action in plan._actions[known:]]
    given = {word.partition("=")[0] for word in words}
    return [name for name in (*names, "--lang") if name in given]


def _project(
    args: argparse.Namespace, read: Read, asked: Sequence[TaskPlan], options: list[str]
) -> tuple[list[str], list[str]]:
    """Bring data and work into the project; what is to be said of it, and the options ignored."""
    with all_or_nothing(args.db) as store:
        if not args.data and progress(store, store.clock()).items:
            return _of_ignored(args.db, options), options
        return _fill(store, args, read, asked), []


def _of_ignored(db: str, options: list[str]) -> list[str]:
    if not options:
        return []
    return [
        f"{', '.join(options)} ignored: {db} has its items already; `suffrage label rules` changes "
        "how they are given out, --data adds others, and another --db starts anew."
    ]


def _fill(
    store: Store, args: argparse.Namespace, read: Read, asked: Sequence[TaskPlan]
) -> list[str]:
    """Bring data and work into the project: those asked for, or the embedded world's."""
    if args.data:
        add_all(store, [groups for groups, _ in read], asked)
        return told(read)
    from suffrage.worlds.adaptation import load_world
    from suffrage.worlds.adaptation.labelling import groups_to_judge

    lang = args.lang or users_language()
    answers = 1 if args.kind == "demonstration" else ANSWERS
    add_all(store, [groups_to_judge(load_world(lang), QUESTIONS, answers, seed=0)], asked)
    return ["the embedded world's questions, to try the page; --data brings your own"]


def _rater_link(store: Store, address: str) -> str:
    """A link for whoever started the server, so that they can vote at once."""
    return link(address, rater_token(secret(store), invite(store, "me").id, store.clock()))


def _team(store: Store, address: str) -> str:
    return link(address, team_token(secret(store), store.clock()))


def _tell(args: argparse.Namespace, notes: list[str], now: Progress, links: dict[str, str]) -> None:
    for note in notes:
        print(note)
    print(f"{args.db}: {now.items} items to judge, {now.votes} of {now.wanted} votes so far\n")
    print(f"vote   {links['to_vote']}\nteam   {links['team']}\n")
    print("Others vote by links of their own: suffrage label invite NAME ...")
    if args.host in LOOPBACK:
        print("Only this machine can open the page; --host 0.0.0.0 opens it to your network.")
    else:
        print("Everyone who reaches this machine can open the page; use https in front of it.")
    print("Ctrl-C stops; nothing is lost.", flush=True)
