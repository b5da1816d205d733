"""The picture of sentences: what was sent, what Bob reads, what each Eve says."""

import textwrap

from arn_keras.palette import BLUE, GREY, ORANGE
from arn_keras.task.task import CASES

_NAMES = {"source": "what Alice sends", **CASES}


def sentences_picture(path, examples, rows, title, wide=64):
    """Draws a table of sentences.

    Args:
        path: file to write, its ending decides the format.
        examples: arrays `source` (texts), `label`, and for each case `bob_<case>` (texts),
            `eve_<case>` (her labels), and `eve_<case>/<name>` of further Eves.
        rows: {case: row}, over the whole test set.
        title: one line above.
        wide: letters of a line.
    """
    from matplotlib.figure import Figure

    cases = [case for case in _NAMES if case == "source" or case in rows]
    eves = [name.partition("/")[2] for name in examples if name.startswith("eve_original")]
    lines, colors = [], []
    for index, label in enumerate(examples["label"]):
        for case in cases:
            line, color = _line(examples, rows, case, eves, index, str(label), wide)
            lines.append(line)
            colors.append(color)
    figure = Figure(figsize=(13, 0.3 * len(lines) + 1), layout="constrained")
    axis = figure.subplots()
    axis.set_axis_off()
    heads = ["", "sentence", *(f"Eve {eve.removeprefix('frozen_')}".strip() for eve in eves)]
    share = 0.3 / max(1, len(eves))
    table = axis.table(
        lines,
        colLabels=heads,
        cellLoc="left",
        colWidths=[0.27, 0.43, *[share] * len(eves)],
        bbox=(0.0, 0.0, 1.0, 1.0),
    )
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    for (row, column), cell in table.get_celld().items():
        cell.set_linewidth(0.3)
        if row:
            cell.get_text().set_color(colors[row - 1][column])
            cell.set_facecolor("#f4f4f4" if (row - 1) // len(cases) % 2 else "white")
    figure.suptitle(title)
    figure.savefig(path, dpi=120)


def _line(examples, rows, case, eves, index, label, wide):
    """Cells of one line, and their colours."""
    source = str(examples["source"][index])
    if case == "source":
        text, said = source, [f"label {label}"] * len(eves)
        return [_NAMES[case], _wrapped(text, wide), *said], [GREY, "black", *[GREY] * len(said)]
    text = str(examples[f"bob_{case}"][index])
    said = [str(int(examples[f"eve_{case}" + f"/{eve}" * bool(eve)][index])) for eve in eves]
    name = f"{_NAMES[case]}: Bob reads (BLEU-4 {rows[case]['bleu4']:.3f})"
    of_eves = [ORANGE if each == label else BLUE for each in said]
    return [name, _wrapped(text, wide), *said], [
        GREY,
        BLUE if text != source else "black",
        *of_eves,
    ]


def _wrapped(text, wide):
    return "\n".join(textwrap.wrap(text, wide)[:2]) or "(nothing)"
