"""An audit of one run directory; it leaves `audit/audit.json`, `audit.png` and `report.md` there.

A journal of finished rungs lies beside them, from which a killed audit goes on.
"""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from arn_keras.counts import refuse_below
from arn_keras.errors import ConfigError, RunDirError
from arn_keras.machine.files import atomic_file, write_bytes, write_json
from arn_keras.pair import PROTECTIONS
from arn_keras.rooms import answer
from arn_keras.run import records
from arn_keras.run.config import KNOWLEDGE
from arn_keras.run.saved import SavedRun, path_of

DEFAULT_PROTECTIONS = ("none", "arn", "keyed")


def conduct(
    run_dir: str | os.PathLike,
    *,
    quick: bool = False,
    protections: Sequence[str] | None = None,
    knowledge: str | None = None,
    seeds: int | None = None,
    data_dir: str | os.PathLike | None = None,
    command: str = "arn_keras.audit",
    say: Callable[[str], Any] = print,
) -> dict[str, Any]:
    """Audits the pair of a run, beside other protections of the same link.

    Args:
        run_dir: a finished run directory, of `train.py` or of `arn_keras.save_run`.
        quick: one seed and the rungs that matter.
        protections: names of `pair.PROTECTIONS`; none, arn, keyed and the run's own by default.
            "none" is always measured, to compare with; what the run has not trained is trained
            first, if its own protection is no pair of ARNs.
        knowledge: which pair of ARNs, "white" or "black"; None for the first that is there.
        seeds: how many; 3 by default, 1 if quick.
        data_dir: where prepared data sets are; where the run found them by default.
        command: what the report says it was made by.
        say: called with each line for the user.

    Returns:
        Contents of `audit.json` (docs/audit.md).

    Raises:
        ArnError: if an argument, run directory or data cannot be used.
    """
    if isinstance(protections, str):
        raise ConfigError(f"expected protections as a list of names, got {protections!r}")
    for name in protections or ():
        answer(PROTECTIONS, name)
    if knowledge not in (None, *KNOWLEDGE["both"]):
        raise ConfigError(f"expected knowledge white or black, got {knowledge!r}")
    refuse_below(1, seeds=seeds)
    path = path_of(run_dir)
    saved = SavedRun.read(path)
    knowledge = trained(saved, knowledge)
    config = saved.config
    problem = saved.problem(data_dir)
    dataset = problem.dataset
    from arn_keras.audit.checks import warnings
    from arn_keras.audit.effort import FULL, QUICK
    from arn_keras.audit.ladder import climb, finished_rungs
    from arn_keras.audit.picture import audit_picture
    from arn_keras.audit.report import headline, report
    from arn_keras.measure.leakage import entropy

    effort = QUICK if quick else FULL
    seeds = list(range(seeds or (1 if quick else 3)))
    asked = protections or (*DEFAULT_PROTECTIONS, config.protection)
    protections = [name for name in PROTECTIONS if name in ("none", *asked)]
    means = {name: answer(PROTECTIONS, name) for name in protections}
    stages = {
        name: each.stage(knowledge) for name, each in means.items() if each.arns or each.trained
    }
    snr_db = sum(config.snr_db) / 2
    start = time.monotonic()
    with saved.directory() as directory:
        complete(problem, directory, stages.values(), say)
        arns = [name for name in stages if means[name].arns]
        has_pair = arns or directory.done(
            f"arn/{knowledge}"
        )  # also the self-check's, if asked alone
        others = {name: problem.public(stages[name]) for name in stages if name not in arns}
        folder = path / "audit"
        folder.mkdir(exist_ok=True)
        base = ["link", *config.problem.judges.values()]
        made_from = {
            name: records.combined(path, [*base, stages[name]] if name in stages else base)
            for name in protections
        }
        rows = climb(
            problem,
            problem.pair(knowledge) if has_pair else (None, None),
            protections=protections,
            others=others,
            seeds=seeds,
            effort=effort,
            snr_db=snr_db,
            psr_db=config.psr_db,
            made_from=made_from,
            finished=finished_rungs(folder / f"finished-{knowledge}.sqlite", say),
            say=say,
        )
        audit = {
            "scenario": config.scenario,
            "dataset": dataset.name,
            "measure": problem.task.measures[0]._asdict(),
            "knowledge": knowledge,
            "snr_db": snr_db,
            "psr_db": config.psr_db,
            "effort": effort.name,
            "seeds": seeds,
            "command": command,
            "seconds": time.monotonic() - start,
            "entropy_nats": entropy(dataset.test.label, dataset.classes),
            "headline": headline(rows),
            "warnings": warnings(rows, config.psr_db),
            "rows": rows,
        }
        file = path / records.AUDIT
        write_json(file, audit)
        measured_on = records.digests(path, [*base, *stages.values()])
        records.write(path, records.AUDIT, {file.name: file}, measured_on)
        with atomic_file(folder / "audit.png") as temporary:
            audit_picture(temporary, rows, f"{dataset.name}, SNR {snr_db:g} dB")
        # The command may name a path that is no UTF-8.
        write_bytes(folder / "report.md", report(audit).encode(errors="backslashreplace"))
    return audit


def trained(saved, knowledge=None):
    """The knowledge ("white" or "black") of the pair that is audited.

    Args:
        saved: `run.saved.SavedRun`.
        knowledge: "white", "black", or None for the first that is there.

    Raises:
        RunDirError: if the run is not finished: it lacks the link, Eve, or its own modules.
    """
    stages = ("link", *saved.config.problem.judges.values())
    own = answer(PROTECTIONS, saved.config.protection)
    if not own.arns:
        stages = (*stages, *filter(None, [own.stage(None)]))
        if all((saved.path / each).is_dir() for each in stages):
            return knowledge or "white"
    for name in (knowledge,) if knowledge else ("white", "black"):
        if all((saved.path / each).is_dir() for each in (*stages, f"arn/{name}")):
            return name
    wanted = f"{knowledge} pair" if knowledge else "pair" if own.arns else "link and eavesdropper"
    raise RunDirError(
        f"{saved.path}: expected a trained {wanted}, found none; run train.py to its end"
    )


def complete(problem, directory, stages, say):
    """Trains the modules that a run directory lacks, and keeps them there.

    Args:
        problem: `run.problem.Problem` of the directory.
        directory: `run.directory.RunDirectory`, locked.
        stages: of the modules.
        say: called with each line for the user.
    """
    from arn_keras.run.stages import sources as made_from

    for stage in stages:
        sources = made_from(problem.config, stage)
        if not directory.done(stage, sources):
            partial = directory.begin(stage, sources, say)
            say(f"{stage}: training, {problem.epochs(stage)} epochs")
            directory.keep(stage, problem.train(stage, partial / "checkpoint"))
