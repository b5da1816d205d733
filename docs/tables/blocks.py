"""The letter's open question: which block? One line a block and what is equal."""

from docs.tables.rows import groups, of, table

BOXES = {"white": "white box", "black": "black box", "ensemble": "ensemble"}


def blocks(name):
    """Eve and Bob under each kind of pair, and what the white box's modules take.

    Eve is the one that the scenario names first; for the ensemble, the mean of all of them.
    """
    lines = []
    found = groups(name, ("equal", "block", "pair"))
    for equal, block in dict.fromkeys((equal, block) for equal, block, _ in found):
        white = found[equal, block, "white"][0]
        cells = []
        for box in BOXES:
            rows = found.get((equal, block, box))
            if rows:
                eve = of(rows, "eve_accuracy") if box == "ensemble" else rows[0]["eve_accuracy"]
                cells.append(f"{eve:.3f} at {rows[0]['mse'] / rows[0]['plain_mse']:.3f} x")
            else:
                cells.append("-")
        size = (f"{white[field]:,}" for field in ("parameters", "multiply_adds"))
        latency = (f"{white[f'latency_{kind}_us']:.0f}" for kind in ("float32", "int8"))
        int8 = f"{white['int8_mse'] - 1:+.2%}"
        seconds = f"{white['seconds']:,.0f}"
        head = f"{block}, width {white['width']}"
        lines.append([equal, head, *size, *cells, seconds, " / ".join(latency), int8])
    heads = ["parameters", "multiply-adds", *BOXES.values(), "training, s"]
    return table(["equal", "block", *heads, "float32 / int8, us", "int8, Bob's MSE"], lines)
