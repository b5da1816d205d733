"""Runs of sentences."""

from docs.tables.rows import CASES, groups, table

EVES = ("frozen", "frozen_transformer", "frozen_dense")  # of sentences: the white box's, unseen


def sentences(name):
    """Each seed's quality and every eavesdropper of it, of runs of sentences."""
    lines = []
    for (seed, case, knowledge), those in sorted(
        groups(name, ("seed", "case", "knowledge")).items(), key=str
    ):
        if case == "transmitter_only":
            continue
        row = those[0]
        eves = {row["eve"]: row["eve_accuracy"] for row in those}
        psr = f"{row['measured_psr_db']:.2f}" if knowledge else "-"
        lines.append(
            [
                str(seed),
                CASES[case] + (f", {knowledge} box" if knowledge else ""),
                *(f"{row[field]:.4f}" for field in ("bleu4", "bleu1", "token_accuracy")),
                f"{row['exact']:.3f}",
                *(f"{eves[eve]:.3f}" for eve in EVES),
                psr,
                f"{row['sent_power']:.3f}",
            ]
        )
    heads = ["seed", "", "BLEU-4", "BLEU-1", "tokens", "exact"]
    eves = ["Eve with convolutions", "transformer", "dense"]
    return table([*heads, *eves, "measured PSR dB", "sent power"], lines)
