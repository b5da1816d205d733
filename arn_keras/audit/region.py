"""`python -m arn_keras.audit.region RUN_DIR`: what Eve gets where she stands, near or far.

The secrecy region: Bob's quality, and the frozen Eve, the retrained one and who uses Bob's own
chain, against what Eve's SNR has over Bob's, for no protection, the letter's pair, the min-max pair
and the keyed one. Each pair is trained once, for the run's own offset; every Eve who learns, learns
at hers. It leaves `audit/region.json`, `region.png` and `region.pdf`, and `finished-region.sqlite`,
from which it goes on if killed. Nothing heavy is imported before the options are known to be good.
"""

import sys

from arn_keras.arguments import Parser
from arn_keras.audit.pairs_of_a_run import add_options, opened, parsed, seeds_of, status
from arn_keras.machine.files import atomic_file, write_json
from arn_keras.run.records import combined

PROGRAM = "python -m arn_keras.audit.region"
RUNGS = ("Bob", "E0", "E3", "E5")


def parse(arguments=None):
    """Options; wrong ones end the program with one line and status 2."""
    parser = Parser(
        prog=PROGRAM,
        description="Measures what an eavesdropper gets of a finished run's link who hears better "
        "or worse than Bob, under each protection.",
    )
    add_options(parser)
    parser.add_argument(
        "--eve-snr-offset-db",
        type=float,
        nargs="+",
        default=[-20.0, -15.0, -10.0, -5.0, 0.0, 5.0, 10.0],
        metavar="X",
        help="Eve's SNR over Bob's in dB (default: -20 to 10 by 5)",
    )
    parser.add_argument(
        "--privacy-weight",
        type=float,
        default=1.0,
        metavar="W",
        help="w3 of the min-max pair's loss, w2 being 10 (default: 1)",
    )
    parser.add_argument(
        "--above-guessing",
        type=float,
        default=5.0,
        metavar="POINTS",
        help="points of accuracy above guessing that a retrained Eve is allowed (default: 5)",
    )
    weights = ("privacy_weight", "above_guessing")
    return parsed(parser, arguments, levels_db=("eve_snr_offset_db",), weights=weights)


def main(arguments=None):
    """Measures the region; returns its exit status."""
    return status(PROGRAM, parse, run, arguments)


def run(options, words):
    """Measures the secrecy region of one run directory; the words go into the file."""
    saved, path, problem = opened(options)
    config = problem.config
    from arn_keras.audit.ladder import finished_rungs
    from arn_keras.audit.picture import region_picture
    from arn_keras.audit.trade import EFFORTS, Point, Trade

    effort = EFFORTS["quick" if options.quick else "full"]
    seeds = seeds_of(options)
    offsets = sorted(set(options.eve_snr_offset_db))
    points = [
        Point("none"),
        Point("arn", config.psr_db),
        Point("min-max", config.psr_db, options.privacy_weight),
        Point("keyed"),
    ]
    with saved.directory():
        folder = path / "audit"
        folder.mkdir(exist_ok=True)
        finished = finished_rungs(folder / "finished-region.sqlite")
        trade, rows = Trade(problem, effort), []
        judged = combined(path, ["link", *config.problem.judges.values()])
        how = f"{effort} {problem.schedule('arn')} {judged}"
        for seed in seeds:
            for point in points:
                keys = {offset: (how, seed, trade.named(point), offset) for offset in offsets}
                missing = [each for each in offsets if finished.get(keys[each]) is None]
                protected = trade.protect(point, seed) if missing else None
                for offset in missing:
                    placed = problem.with_eve_at(offset)
                    found = trade.measure(point, seed, protected, RUNGS, placed)
                    finished.add({keys[offset]: found})
                    _say(seed, point, offset, found)
                rows += [row for offset in offsets for row in finished.get(keys[offset])]
        measure = problem.task.measures[0]
        region = {
            "scenario": config.scenario,
            "dataset": problem.dataset.name,
            "channel": config.channel,
            "snr_db": config.snr_db,
            "seeds": seeds,
            "epochs": options.epochs,
            "effort": effort.name,
            "command": f"{PROGRAM} {' '.join(words)}",
            "majority_rate": rows[0]["majority_rate"],
            "points": summary(rows, measure.field),
            "rows": rows,
        }
        allowed = region["majority_rate"] + options.above_guessing / 100
        region["needed_db"] = {
            name: {
                "below_half": crossing(own, 0.5),
                f"below_guessing_and_{options.above_guessing:g}_points": crossing(own, allowed),
            }
            for name, own in by_protection(region["points"]).items()
        }
        write_json(folder / "region.json", region)
        title = f"{region['dataset']}, {config.channel}, SNR {sum(config.snr_db) / 2:g} dB"
        for ending in ("png", "pdf"):
            with atomic_file(folder / f"region.{ending}") as temporary:
                region_picture(temporary, region["points"], measure, title)
    _tell(region, measure, folder)


def summary(rows, field):
    """An object a protection and offset: Bob's mean over the seeds, the highest of each rung."""
    found = {}
    for row in rows:
        found.setdefault((row["protection"], row["eve_snr_offset_db"]), []).append(row)
    points = []
    for (protection, offset), own in found.items():
        bob = [row[field] for row in own if row["rung"] == "Bob"]
        eves = [row for row in own if row["rung"] != "Bob"]
        points.append(
            {
                "protection": protection,
                "eve_snr_offset_db": offset,
                field: sum(bob) / len(bob),
                **{
                    rung: max(row["eve_accuracy"] for row in eves if row["rung"] == rung)
                    for rung in dict.fromkeys(row["rung"] for row in eves)
                },
                "leakage_nats": max(row["leakage_nats"] for row in eves),
            }
        )
    return points


def by_protection(points):
    """Points of each protection, by Eve's offset."""
    names = dict.fromkeys(each["protection"] for each in points)
    return {name: [each for each in points if each["protection"] == name] for name in names}


def crossing(points, accuracy):
    """The highest offset in dB below which a retrained Eve stays below an accuracy.

    Between two offsets a straight line is taken; None if she is above it at the lowest already,
    "any" if she is below it at all of them.
    """
    points = sorted(points, key=lambda each: each["eve_snr_offset_db"])
    over = [each["E3"] >= accuracy for each in points]
    if not any(over):
        return "any"
    first = over.index(True)
    if first == 0:
        return None
    (x, y), (x1, y1) = (
        (each["eve_snr_offset_db"], each["E3"]) for each in points[first - 1 : first + 1]
    )
    return x + (x1 - x) * (accuracy - y) / (y1 - y)


def _say(seed, point, offset, rows):
    shown = (f"{rung} {max(_accuracies(rows, rung)):.1%}" for rung in RUNGS[1:])
    print(f"seed {seed}  {point.protection:<9}{offset:>+6g} dB  {'  '.join(shown)}", flush=True)


def _accuracies(rows, rung):
    return [row["eve_accuracy"] for row in rows if row["rung"] == rung]


def _tell(region, measure, folder):
    heads = "".join(f"{rung:>8}" for rung in RUNGS[1:])
    print(f"\n{'protection':<12}{'Eve dB':>7}{measure.title:>10}{heads}")
    for each in region["points"]:
        rungs = "".join(f"{each[rung]:>8.1%}" for rung in RUNGS[1:])
        print(
            f"{each['protection']:<12}{each['eve_snr_offset_db']:>+7g}"
            f"{each[measure.field]:>10{measure.form}}{rungs}"
        )
    for name, needed in region["needed_db"].items():
        words = {None: "at none of these", "any": "at all of these"}
        up_to = needed["below_half"]
        where = words.get(up_to) or f"up to {up_to:+.1f} dB over Bob"
        print(f"{name}: a retrained Eve is below 50 % {where}")
    print(f"\nfigure   {folder / 'region.png'}")


if __name__ == "__main__":
    sys.exit(main())
