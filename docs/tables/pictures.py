"""Pictures: what Bob sees by four measures, and what each eavesdropper names."""

from docs.tables.rows import CASES, groups, table

EVES = {"frozen": "residual Eve", "frozen_wide": "wide", "frozen_patches": "transformer"}


def pictures(name):
    """Every case of a run and of sweeps of it, by the eavesdroppers that have rows."""
    lines = []
    found = groups(name, ("case", "knowledge", "black_box", "eve"))
    (plain,) = found["original", None, None, "frozen"]
    eves = [each for each in EVES if ("original", None, None, each) in found]
    for (case, knowledge, box, eve), (row,) in found.items():
        if eve != "frozen":
            continue
        kind = f", {box or 'single'} black box" if knowledge == "black" else ", white box"
        shares = [found[case, knowledge, box, each][0]["eve_accuracy"] for each in eves]
        psr = row["measured_psr_db"]
        lines.append(
            [
                CASES[case] + kind * bool(knowledge),
                f"{row['mse']:.5f}",
                f"{row['mse'] / plain['mse']:.3f}",
                *(f"{row[field]:.2f}" for field in ("psnr_db", "mean_psnr_db")),
                *(f"{row[field]:.3f}" for field in ("ssim", "ms_ssim")),
                *(f"{share:.3f}" for share in shares),
                "-" if psr is None else f"{psr:.2f}",
            ]
        )
    measures = ["Bob's MSE", "over original", "PSNR dB", "mean PSNR dB", "SSIM", "MS-SSIM"]
    return table(["case", *measures, *(EVES[each] for each in eves), "measured PSR dB"], lines)
