"""Pairs trained against an ensemble of substitutes, before eavesdroppers that are none of them."""

from statistics import mean, stdev

from docs.tables.rows import groups, table

EVES = {
    "frozen": "four-layer Eve of the letter",
    "frozen_wide": "wide two-layer Eve",
    "frozen_conv": "convolutional Eve",
}


def ensemble(name):
    """Each Eve's accuracy with both modules, seed by seed, and what the pair costs Bob."""
    rows = groups(name, ("case", "eve"))

    def values(case, field, eve="frozen"):
        return [row[field] for row in sorted(rows[case, eve], key=lambda row: row["seed"])]

    def line(head, numbers, form):
        each = ", ".join(f"{number:{form}}" for number in numbers)
        return [head, each, f"{mean(numbers):{form}} ± {stdev(numbers):{form}}"]

    plain = values("original", "mse")
    shares = {eve: values("paired", "eve_accuracy", eve) for eve in EVES}
    lines = [line(EVES[eve], of_eve, ".3f") for eve, of_eve in shares.items()]
    lines.append(
        line("**mean of the three**", list(map(mean, zip(*shares.values(), strict=True))), ".3f")
    )
    for case, modules in (("paired", "both modules"), ("transmitter_only", "transmitter's alone")):
        ratios = [one / other for one, other in zip(values(case, "mse"), plain, strict=True)]
        lines.append(line(f"Bob's MSE over original, {modules}", ratios, ".3f"))
    lines.append(line("measured PSR, dB", values("paired", "measured_psr_db"), ".2f"))
    return table(["", "seeds 0, 1, 2", "mean ± deviation"], lines)
