"""A pair that is told the SNR."""

from docs.tables.rows import groups, of, table

#: {SNR in dB: (MSE in 1e-4, Eve in %)} of Fig. 3's white box, three seeds (docs/results.md).
A_PAIR_EACH = {
    **{-5: (290.9, 18.5), 0: (157.3, 19.9), 5: (90.0, 24.3), 10: (62.5, 20.4)},
    **{15: (51.9, 17.6), 20: (47.8, 16.9), 25: (46.3, 16.9)},
}


def told(name):
    """One pair that is told the SNR, of a sweep, beside Fig. 3's, which have a pair for each."""
    lines, rows = [], groups(name, ("snr_db", "case"))
    for snr_db, (mse, eve) in A_PAIR_EACH.items():
        plain, one = rows[snr_db, "original"], rows[snr_db, "paired"]
        lines.append(
            [
                f"{snr_db:g}",
                f"{1e4 * of(plain, 'mse'):.1f}",
                f"{mse:.1f}",
                f"{1e4 * of(one, 'mse'):.1f}",
                f"**{1e4 * of(one, 'mse') / mse - 1:+.1%}**",
                ", ".join(f"{1e4 * row['mse'] / mse - 1:+.1%}" for row in one),
                f"{eve:.1f}",
                f"{100 * of(one, 'eve_accuracy'):.1f}",
                f"**{100 * of(one, 'eve_accuracy') - eve:+.1f}**",
                f"{of(one, 'measured_psr_db'):.2f}",
                f"{of(one, 'sent_power'):.3f}",
            ]
        )
    heads = ["SNR dB", "MSE, no modules", "a pair each", "one pair", "more", "each seed"]
    eve = ["Eve %, a pair each", "one pair", "points", "one pair's PSR dB", "sent power"]
    return table([*heads, *eve], lines)
