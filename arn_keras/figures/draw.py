"""Pictures, each one function drawn from saved rows or saved examples only.

Nothing is trained, and no TensorFlow is loaded.
"""

import collections
import pathlib

import numpy as np

from arn_keras.errors import RunDirError
from arn_keras.figures import curves
from arn_keras.machine.files import atomic_file, read_arrays, read_json
from arn_keras.measure.sweep_rows import read_rows
from arn_keras.palette import BLUE, GREY, ORANGE
from arn_keras.rooms import answer
from arn_keras.task import TASKS
from arn_keras.task.image import pixels


def fgsm_picture(path, examples, title):
    """Draws the letter's Fig. 1: an image and a signal, the attack on it, and their sum.

    Args:
        path: file to write, its ending decides the format.
        examples: arrays of `fgsm.fgsm_example`, their names after `image_` and `signal_`.
        title: one line above.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6.4), layout="constrained")
    axes = figure.subplots(2, 3)
    for row, what in zip(axes, ("image", "signal"), strict=True):
        powers, label = examples[f"{what}_power"], int(examples[f"{what}_label"])
        titles = [f"{what}, label {label}\npower {powers[0]:.3g}"]
        titles.append(f"FGSM perturbation\npower {powers[1]:.3g}")
        titles.append("sum")
        for axis, part, text in zip(row, ("original", "perturbation", "sum"), titles, strict=True):
            values = examples[f"{what}_{part}"]
            axis.set_title(text)
            if what == "signal":
                axis.plot(values.ravel(), color=GREY, linewidth=0.8)
                axis.set(xlabel="symbol", ylabel="amplitude", ylim=(-4, 4))
                continue
            low, high = (-1, 1) if part == "perturbation" else (0, 1)
            shown = (np.clip(values, low, high) - low) / (high - low)
            axis.imshow(pixels(shown), cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
        for axis, guess, confidence in zip(
            (row[0], row[2]),
            examples[f"{what}_guess"],
            examples[f"{what}_confidence"],
            strict=True,
        ):
            axis.set_title(
                f"{axis.get_title()}\nclassifier: {int(guess)} ({confidence:.0%})",
                color=ORANGE if guess != label else BLUE,
            )
    figure.suptitle(title)
    figure.savefig(path, dpi=150)


def draw(path):
    """Draws what a directory holds the rows for, as PNG and PDF; the files that were written.

    Args:
        path: directory of a run or of a sweep.

    Raises:
        RunDirError: if rows are damaged.
    """
    path = pathlib.Path(path)
    files = [draw_examples(path)] if (path / "examples.npz").exists() else []
    files = [file for file in files if file]
    for saved in sorted(path.glob("*/seed-*/fgsm.npz")):
        dataset, seed = saved.parts[-3:-1]
        name, examples = f"figure-1,{dataset},{seed}", read_arrays(saved)
        files += _both_formats(path, name, fgsm_picture, examples, f"{dataset}, {seed}")
    rows = list(read_rows(path).values())
    first, *more = _task(path).drawn if rows else (None,)
    of = collections.defaultdict(list)
    for row in rows:
        offset = row.get("eve_snr_offset_db", 0.0)
        placed = f" at {offset:+g} dB" if offset else ""
        of[row["dataset"], row["eve"] + placed].append(row)
    for dataset, eve in sorted(of):
        name = f"{dataset.replace('/', '-').replace(':', '-')},{eve.replace(' ', '-')}"
        named = {name: first, **{f"{name},{measure.field}": measure for measure in more}}
        for file, measure in named.items():
            files += _draw_rows(path, of[dataset, eve], measure, file, dataset, eve)
    return files


def _draw_rows(path, rows, measure, name, dataset, eve):
    """Fig. 3 for each budget that has an axis of SNRs, Fig. 4 for each SNR that has one of PSRs."""
    files, pairs = [], [row for row in rows if row["psr_db"] is not None]
    how = measure, _chance(rows)
    for psr_db in sorted({row["psr_db"] for row in pairs}):
        at = [row for row in rows if row["psr_db"] in (None, psr_db)]
        if len({row["snr_db"] for row in at if row["psr_db"] is not None}) > 1:
            title = f"{dataset}, PSR budget {psr_db:g} dB, Eve: {eve}"
            at_name = f"figure-3,{name},psr={psr_db:g}"
            files += _both_formats(path, at_name, curves.figure_3, at, *how, title)
    for snr_db in sorted({row["snr_db"] for row in pairs}):
        at = [row for row in rows if row["snr_db"] == snr_db]
        if len({row["psr_db"] for row in at} - {None}) > 1:
            title = f"{dataset}, SNR {snr_db:g} dB, Eve: {eve}"
            at_name = f"figure-4,{name},snr={snr_db:g}"
            files += _both_formats(path, at_name, curves.figure_4, at, *how, title)
    return files


def _task(path):
    """What Bob is judged by in a directory; one of before there was a choice has pictures."""
    file = path / "config.json"
    found = read_json(file)
    if not isinstance(found, dict) or not isinstance(found.get("config"), dict):
        raise RunDirError(f"{file}: expected a run's configuration")
    return answer(TASKS, found.get("task", "image"))


def _chance(rows):
    return 1 / rows[0]["classes"]


def _both_formats(path, name, function, *arguments):
    files = [path / "figures" / f"{name}.{ending}" for ending in ("png", "pdf")]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        with atomic_file(file) as temporary:
            function(temporary, *arguments)
    return files


def draw_examples(path):
    """Draws the examples of a run of `train.py`; the file that was written, None if none can be.

    Args:
        path: the run directory.
    """
    task = _task(path)
    if not task.has_picture:
        return None
    config, rows = read_json(path / "config.json")["config"], read_json(path / "results.json")
    if not (isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows)):
        raise RunDirError(f"{path / 'results.json'}: expected the rows of a run")
    snr_db = rows[0]["snr_db"]
    # Of several cases of knowledge, and of several Eves, the first; the title has all Eves.
    shown = {row["case"]: row for row in rows[::-1] if row["snr_db"] == snr_db}
    file = path / "figures" / "examples.png"
    file.parent.mkdir(exist_ok=True)
    examples, title = read_arrays(path / "examples.npz"), _story(shown, rows, config["dataset"])
    with atomic_file(file) as temporary:
        task.picture(temporary, examples, shown, title)
    return file


def _story(shown, rows, dataset):
    """What a picture of examples tells: the figures of the whole test set, and which Eve's."""
    plain, pair = shown["original"], shown.get("paired")
    eves = len({row["eve"] for row in rows})
    who = "Eve names" if eves == 1 else f"{eves} Eves name"
    says = f"{who} {_shares(plain, rows)} of the labels without the modules"
    small = [dataset, f"all {plain['sources']:,} test sources", f"SNR {plain['snr_db']:g} dB"]
    if pair is None:
        return f"{says}\n{', '.join(small)}"
    if pair["measured_psr_db"] is not None and pair["psr_db"] is not None:
        small.append(f"perturbation {pair['measured_psr_db']:.1f} dB, budget {pair['psr_db']:g} dB")
    knows = {"white": "Alice knows Eve's network", "black": "Alice does not know Eve's network"}
    small += [knows[pair["knowledge"]]] if pair["knowledge"] else [pair["protection"]]
    return (
        f"{says}, {_shares(pair, rows)} with both\n{', '.join(small)}\n"
        "No Eve here adapts, each learnt from plain signals; python -m arn_keras.audit tries others"
    )


def _shares(shown, rows):
    """Accuracies of all Eves of a case that is shown, that of the pictures first."""
    case = ("case", "knowledge", "snr_db")
    of = [row for row in rows if all(row[name] == shown[name] for name in case)]
    return ", ".join(f"{row['eve_accuracy']:.0%}" for row in of)
