"""`suffrage label invite`: links by which raters come, without e-mail or password."""

from __future__ import annotations

from collections.abc import Sequence

from suffrage.cli.arguments import number, parse, print_json
from suffrage.cli.label.project import ADDRESS, existing, label_parser
from suffrage.cli.show import printable
from suffrage.core.errors import SettingsError
from suffrage.label.links import DAYS, link, rater_token, team_token
from suffrage.label.store.raters import Rater, invite, raters
from suffrage.label.store.settings import secret, setting

LONGEST = 3650.0  # days
UNSERVED = "http://127.0.0.1:8000"


def run(words: Sequence[str]) -> int:
    parser = label_parser("invite")
    parser.add_argument("names", nargs="*", help="of raters; the same name, the same rater")
    parser.add_argument("--team", action="store_true", help="a link to the team's view")
    parser.add_argument("--address", help="what links begin with; unset: as last served")
    parser.add_argument("--days", type=number, default=float(DAYS), help="that a link is good for")
    args = parse(parser, words)
    if not args.names and not args.team:
        raise SettingsError("suffrage label invite needs the names of raters, or --team.")
    if not 0 < args.days <= LONGEST:
        raise SettingsError(f"--days {args.days:g} is not above 0 and at most {LONGEST:g}.")
    store = existing(args)
    key, now = secret(store), store.clock()
    address = args.address or setting(store, ADDRESS) or UNSERVED
    gone = {rater.name: rater for rater in raters(store) if rater.withdrawn}
    links = {
        name: link(address, rater_token(key, invite(store, name).id, now, args.days))
        for name in args.names
    }
    if args.team:
        links["(the team)"] = link(address, team_token(key, now, args.days))
    if args.json:
        print_json(links)
    else:
        width = max(map(len, links))
        for name, made in links.items():
            print(f"{printable(name):{width}}  {made}")
        for name in dict.fromkeys(args.names):
            _tell_returned(gone.get(name))
    return 0


def _tell_returned(before: Rater | None) -> None:
    if before is not None and before.withdrawn is not None:
        print(
            f"{printable(before.name)} withdrew on {before.withdrawn[:10]}: the link begins anew, "
            "and the votes withdrawn stay out."
        )
