"""`python -m arn_keras.audit.frontier RUN_DIR`: what each protection buys, at which power and cost.

Bob's picture against the eavesdropper who moves last, for the letter's pair and the min-max pair at
several budgets, the keyed pair, what else the run has trained (a purge), and none. It leaves
`audit/frontier.json`, `frontier.png` and `frontier.pdf`, and `finished-frontier.sqlite`, from which
it goes on if killed. Nothing heavy is imported before the options are known to be good.
"""

import sys

from arn_keras.arguments import Parser
from arn_keras.audit.pairs_of_a_run import add_options, opened, parsed, seeds_of, status
from arn_keras.machine.files import atomic_file, write_json
from arn_keras.pair import PROTECTIONS
from arn_keras.rooms import answer
from arn_keras.run.records import combined

PROGRAM = "python -m arn_keras.audit.frontier"
SHOWN = ("E0", "E3", "E4", "E5")


def parse(arguments=None):
    """Options; wrong ones end the program with one line and status 2."""
    parser = Parser(
        prog=PROGRAM,
        description="Trains keyless pairs at several budgets on a finished run's link, the "
        "letter's way and against eavesdroppers who learn too, and shows Bob's picture against "
        "the worst eavesdropper, beside the keyed pair.",
    )
    add_options(parser)
    parser.add_argument(
        "--psr-db",
        type=float,
        nargs="+",
        default=[-10.0, -5.0, 0.0, 3.0],
        metavar="X",
        help="budgets in dB relative to signal power 1 (default: -10 -5 0 3)",
    )
    parser.add_argument(
        "--privacy-weight",
        type=float,
        nargs="+",
        default=[1.0, 10.0],
        metavar="W",
        help="w3 of the min-max pair's loss, w2 being 10 (default: 1 10)",
    )
    return parsed(parser, arguments, levels_db=("psr_db",), weights=("privacy_weight",))


def main(arguments=None):
    """Measures the frontier; returns its exit status."""
    return status(PROGRAM, parse, run, arguments)


def run(options, words):
    """Measures the frontier of one run directory; the words go into the file."""
    saved, path, problem = opened(options)
    config = problem.config
    dataset = problem.dataset
    from arn_keras.audit.checks import warnings
    from arn_keras.audit.ladder import finished_rungs
    from arn_keras.audit.picture import frontier_picture
    from arn_keras.audit.trade import EFFORTS, Trade, by_point, points, summary

    effort = EFFORTS["quick" if options.quick else "full"]
    seeds = seeds_of(options)
    means = answer(PROTECTIONS, config.protection)
    own = [means.stage(None)] if means.trained else []
    judged = combined(path, ["link", *config.problem.judges.values(), *own])
    how = f"{effort} {problem.schedule('arn')} {judged}"  # rows under others are not these
    with saved.directory():
        folder = path / "audit"
        folder.mkdir(exist_ok=True)
        finished = finished_rungs(folder / "finished-frontier.sqlite")
        trade, measure = Trade(problem, effort), problem.task.measures[0]
        rows = []
        for seed in seeds:
            for point in points(options.psr_db, options.privacy_weight, config.protection):
                key = (how, seed, trade.named(point))
                if finished.get(key) is None:
                    finished.add({key: trade.rows(point, seed)})
                    _say(seed, point, finished.get(key), measure)
                rows += finished.get(key)
        points_found = summary(rows, measure.field)
        title = f"{dataset.name}, SNR {sum(config.snr_db) / 2:g} dB"
        frontier = {
            "scenario": config.scenario,
            "dataset": dataset.name,
            "measure": measure._asdict(),
            "snr_db": config.snr_db,
            "epochs": options.epochs,
            "seeds": seeds,
            "effort": effort.name,
            "command": f"{PROGRAM} {' '.join(words)}",
            "seconds": sum(row["seconds"] for row in rows if row["rung"] == "Bob"),
            "majority_rate": rows[0]["majority_rate"],
            "points": points_found,
            "warnings": [
                {**each, "point": str(point)}
                for point, those in by_point(rows).items()
                for each in warnings(those, point.psr_db)
            ],
            "rows": rows,
        }
        write_json(folder / "frontier.json", frontier)
        for ending in ("png", "pdf"):
            with atomic_file(folder / f"frontier.{ending}") as temporary:
                frontier_picture(temporary, points_found, measure, frontier["majority_rate"], title)
    _tell(frontier, folder)


def _name(point):
    name = point["protection"]
    return name if point["privacy_weight"] is None else f"{name} w3={point['privacy_weight']:g}"


def _say(seed, point, rows, measure):
    worst = max(row["eve_accuracy"] for row in rows if row["rung"] != "Bob")
    (bob,) = (row for row in rows if row["rung"] == "Bob")
    at = "" if point.psr_db is None else f"{point.psr_db:+g} dB"
    quality = f"{measure.title} {bob[measure.field]:{measure.form}}"
    print(
        f"seed {seed}  {_name(vars(point)):<15}{at:>7}  {quality}  worst {worst:.1%}"
        f"{rows[0]['seconds']:>8.1f} s",
        flush=True,
    )


def _tell(frontier, folder):
    measure = frontier["measure"]
    field, title, form = measure["field"], measure["title"], measure["form"]
    width = max(8, len(title) + 1)
    names = "".join(f"{rung:>7}" for rung in SHOWN)
    print(
        f"\n{'protection':<15}{'budget':>7}{'PSR':>7}{'sent':>6}{title:>{width}}{'times':>7}{names}"
        f"  {'worst':<7}by"
    )
    for point in frontier["points"]:
        psr_db, measured = (
            "-" if point[name] is None else f"{point[name]:.1f}"
            for name in ("psr_db", "measured_psr_db")
        )
        rungs = "".join(f"{point[rung]:>7.1%}" for rung in SHOWN)
        print(
            f"{_name(point):<15}{psr_db:>7}{measured:>7}{point['sent_power']:>6.2f}"
            f"{point[field]:>{width}{form}}{point[f'{field}_over_original']:>7.2f}{rungs}  "
            f"{point['worst']:<7.1%}{point['by']}"
        )
    for each in frontier["warnings"]:
        print(f"doubt: {each['point']}: {each['check']}: {each['detail']}")
    print(f"\nfigure   {folder / 'frontier.png'}")


if __name__ == "__main__":
    sys.exit(main())
