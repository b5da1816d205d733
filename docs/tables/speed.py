"""What the benchmarks measured: the figures that they wrote by `--json`."""

from statistics import median

from docs.tables.rows import saved, table

OURS, BOUND = "arn_keras", "bound"


def measured_on(name):
    """The machine of a benchmark, in a line."""
    machine = saved(name)["machine"]
    packages = ", ".join(f"{package} {machine[package]}" for package in ("tensorflow", "keras"))
    return f"{machine['processor']}, {machine['cores']} cores, {packages}"


def stages(name, unit, bound):
    """A training step beside the fastest of PyTorch's, and beside what no step can do without.

    Args:
        name: of the figures of `train_speed.py` or `conv_speed.py`.
        unit: what a second is full of, a field of theirs.
        bound: heading of that.
    """
    found = {}
    for each in saved(name)["figures"]:
        found.setdefault((each["stage"], each["batch"]), {})[each["candidate"]] = each
    lines = []
    for (stage, batch), those in found.items():
        speeds = {candidate: median(each[unit]) for candidate, each in those.items()}
        peer = max(speeds.keys() - {OURS, BOUND}, key=speeds.get)
        ratios = [_beside(those[candidate]) for candidate in (peer, BOUND)]
        rates = (f"{speeds[candidate]:,.0f}" for candidate in (OURS, peer, BOUND))
        ours, theirs, most = rates
        lines.append([f"{stage}, {batch}", ours, f"{theirs} ({peer})", most, *ratios])
    heads = ["stage, batch", OURS, "PyTorch's fastest", bound]
    return table([*heads, "over PyTorch", "of the bound"], lines)


def sweeps(name):
    """Seconds of a small sweep, on workers and in turn."""
    lines = [
        [
            each["candidate"],
            f"{median(each['seconds']):.1f} ({', '.join(f'{s:.1f}' for s in each['seconds'])})",
            f"{each['over_the_workers']:.2f}",
        ]
        for each in saved(name)["figures"]
    ]
    return table(["", "seconds", "over the workers'"], lines)


def sources(name):
    """Time and memory over the number of sources, and the fitted exponents."""
    (axis,) = (each for each in saved(name)["figures"] if each["axis"] == "sources")
    times = ("training_seconds", "training_processor_seconds", "evaluation_seconds")
    lines = [
        [
            f"{count:,}",
            *(f"{1e6 * row[time] / count:.1f}" for time in times),
            f"{row['megabytes']:.0f}",
        ]
        for count, row in zip(axis["values"], axis["medians"], strict=True)
    ]
    lines.append(["exponent", *(f"{axis['exponents'][time]:.2f}" for time in times), ""])
    heads = ["training, us a source", "of processor time", "evaluation, us a source"]
    return table(["sources", *heads, "MB above the models"], lines)


def _beside(figure):
    least = f" [{figure['least']}]" if figure["least"] else ""
    return f"{figure['ours_over_it']:.2f}{least}"
