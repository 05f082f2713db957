"""`suffrage agree`: how far raters agree, who stands out, and the consensus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from suffrage.cli.arguments import SEED, add_overwrite, parse, print_json, verb_parser
from suffrage.cli.show import printable
from suffrage.core.errors import DataError
from suffrage.core.files import check_writable
from suffrage.core.results import Estimate, RatersResult, write_result
from suffrage.data.preferences import consensus
from suffrage.data.read import collector_paused, read_groups, write_groups
from suffrage.stats.coefficients import agreement_coefficients
from suffrage.stats.consensus import rater_weights
from suffrage.stats.raters import raters_result
from suffrage.stats.votes import pair_votes


def run(words: Sequence[str]) -> int:
    parser = verb_parser("agree")
    parser.add_argument("feedback", help="groups with judgments (JSONL)")
    parser.add_argument("--out", help="write the figures here, for `suffrage report`")
    parser.add_argument("--consensus", help="write the groups with their consensus here")
    parser.add_argument(
        "--weights",
        choices=("equal", "reliability"),
        default="equal",
        help="of the raters in the consensus: reliability is the log odds that they are right, by "
        "the one-coin model; where raters truly disagree, it silences the minority",
    )
    add_overwrite(parser)
    parser.add_argument("--seed", type=SEED, default=0, help="of the bootstrap")
    args = parse(parser, words)
    for out in filter(None, (args.out, args.consensus)):
        check_writable(Path(out), args.feedback, overwrite=args.overwrite)
    groups, _ = read_groups(args.feedback)
    judgments = [judgment for group in groups for judgment in group.judgments]
    if not judgments:
        raise DataError("holds no judgments; collect some first.", args.feedback)
    with collector_paused():
        votes = pair_votes(judgments)
        others = agreement_coefficients(judgments, seed=args.seed, votes=votes)
        result = raters_result(judgments, seed=args.seed, votes=votes)
    result = result.model_copy(update={"coefficients": others})
    if args.out:
        write_result(Path(args.out), result)
    if args.consensus:
        weights = rater_weights(judgments) if args.weights == "reliability" else {}
        write_groups(Path(args.consensus), [consensus(group, weights) for group in groups])
    if args.json:
        print_json(result.to_json())
    else:
        _show(result)
    return 0


COEFFICIENTS = {
    "cohen": "Cohen's kappa",
    "cohen_quadratic": "Cohen's kappa, quadratic weights",
    "fleiss": "Fleiss' kappa",
    "gwet_ac1": "Gwet's AC1",
    "kendall_tau": "Kendall's tau-b",
    "kendall_w": "Kendall's W",
}


def _show(result: RatersResult) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    print(f"{result.judgments} judgments of {result.prompts} prompts")
    print(f"Krippendorff's alpha ({result.alpha_level}): {interval(result.alpha)}")
    for name, estimate in result.coefficients.items():
        if name in COEFFICIENTS:  # the percentage is the next line
            print(f"{COEFFICIENTS[name]}: {interval(estimate)}")
    print(f"two raters choose alike: {interval(result.pair_agreement)}")
    table = Table("rater", "judgments", "agrees with the others", "first shown wins", "odd")
    for row in result.raters:
        figures = (interval(row.reliability), interval(row.first_shown))
        # as Text, since a rater's name is anyone's words and may look like markup
        table.add_row(Text(printable(row.rater)), str(row.judgments), *figures, row.odd)
    Console().print(table)
    for row in result.raters:
        if row.odd:
            print(printable(f"{row.rater}: {row.evidence}"))


def interval(estimate: Estimate) -> str:
    """A figure with its interval, for a line of text."""
    if estimate.value is None:
        return f"undefined ({estimate.note})"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
