"""The letter's cases, over the seeds."""

from statistics import mean

from docs.tables.rows import CASES, groups, of, spread, table


def short(name):
    """Means alone, for the README: the letter's white box, and both modules in the black box."""
    lines, rows = [], groups(name)
    for (case, knowledge), those in rows.items():
        if (case, knowledge) == ("transmitter_only", "black"):
            continue
        box = f", {knowledge} box" if knowledge else ""
        psr = f"{of(those, 'measured_psr_db'):.1f} dB" if knowledge else "-"
        mse, eve = of(those, "mse"), of(those, "eve_accuracy")
        lines.append([CASES[case] + box, f"{mse:.4f}", f"{eve:.3f}", psr])
    return table(["case", "Bob's MSE", "Eve's accuracy", "measured PSR"], lines)


def keyed(name):
    """Every protection of one seed's runs, with and without Bob's module."""
    lines = []
    for (protection, case, knowledge), those in groups(
        name, ("protection", "case", "knowledge")
    ).items():
        row = those[0]
        shares = [f"{row['mse']:.5f}", f"{row['psnr_db']:.2f}", f"{row['eve_accuracy']:.3f}"]
        box = f", {knowledge} box" if knowledge else ""
        lines.append([protection + box, CASES[case], *shares, f"{row['sent_power']:.4f}"])
    return table(["protection", "", "Bob's MSE", "PSNR dB", "Eve's accuracy", "sent power"], lines)


def full(name):
    """Mean and sample deviation over the seeds, and each seed where it is asked about."""
    lines, rows = [], groups(name)
    plain = [row["mse"] for row in rows["original", None]]
    for (case, knowledge), those in rows.items():
        ratios = [row["mse"] / mse for row, mse in zip(those, plain, strict=True)]
        each = ", ".join(f"{ratio:.3f}" for ratio in ratios)
        shares = ", ".join(f"{row['eve_accuracy']:.3f}" for row in those)
        lines.append(
            [
                CASES[case],
                knowledge or "-",
                spread(those, "mse", ".5f"),
                f"{mean(ratios):.3f} ({each})" if knowledge else "1",
                spread(those, "psnr_db", ".2f"),
                f"{spread(those, 'eve_accuracy', '.3f')} ({shares})",
                f"{of(those, 'eve_confidence'):.3f}",
                spread(those, "measured_psr_db", ".2f") if knowledge else "-",
            ]
        )
    heads = ["case", "knowledge", "Bob's MSE", "over original", "PSNR dB", "Eve's accuracy"]
    return table([*heads, "Eve's confidence", "measured PSR dB"], lines)
