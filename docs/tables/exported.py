"""Bundles: what each precision changes of what Keras gives."""

from docs.tables.rows import groups, table


def exported(name):
    """Each precision at both ends, each seed's change of Bob's measure and of Eve's accuracy."""
    lines = []
    for (precision,), those in groups(name, ("transmitter",)).items():
        size = " + ".join(f"{each:,}" for each in those[0]["bytes"])
        ends = ("sent_max_abs_difference", "cleaned_max_abs_difference")
        largest = max(row[end] for row in those for end in ends)
        lines.append(
            [
                precision,
                ", ".join(f"{row['mse_change']:+.3%}" for row in those),
                ", ".join(f"{100 * row['eve_accuracy_change']:+.2f}" for row in those),
                f"{largest:.2g}",
                size,
            ]
        )
    heads = ["precision", "Bob's MSE", "Eve's accuracy, points", "largest difference of a signal"]
    return table([*heads, "bytes, both modules"], lines)
