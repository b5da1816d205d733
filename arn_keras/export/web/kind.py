"""What a page shows: what every kind of message answers, and which kind a problem's is.

A kind has a file here, which writes messages of the test set and says what Bob makes of them, and a
module of its `name` in `page/`, which draws both.
"""

import abc

import numpy as np

from arn_keras.errors import ExportError
from arn_keras.export.web import KINDS
from arn_keras.rooms import answer

#: Messages that the page sends by itself: the first of the test set, not chosen.
MESSAGES = 200
#: Of these, how many are shown to choose from, as many of each label, and go into the check.
SHOWN = 20


class Kind(abc.ABC):
    """One kind of message.

    Attributes:
        name: of its module in `page/`.
        about: what it is, for the refusal of what is none.
    """

    name: str
    about: str

    def shows(self, problem):
        """Whether a problem's messages are of this kind, its task being so."""
        return True

    @abc.abstractmethod
    def write(self, out, dataset, first):
        """Writes what the page needs of the first test sources.

        Args:
            out: the page's directory.
            dataset: `data.dataset.Dataset`.
            first: of its test split, what is written.

        Returns:
            (what the transmitter takes for each, array; further fields of `page.json`).
        """

    @abc.abstractmethod
    def figures(self, sources, estimates):
        """What Bob makes of messages, {field: list, one a message}, for the page to repeat.

        Args:
            sources: as `write` gives them.
            estimates: the receiver's.
        """


def write_messages(out, kind, dataset):
    """Writes the messages and says which there are.

    Args:
        out: the page's directory.
        kind: `Kind`.
        dataset: `data.dataset.Dataset`.

    Returns:
        (what the transmitter takes, array; fields of `page.json`): `kind`, `classes`, `names` of
        the labels where they are known, `labels`, `shown` (numbers of messages to choose from, by
        label), and the kind's own.
    """
    first = dataset.test.part(slice(MESSAGES))
    labels = np.asarray(first.label)
    each = max(1, SHOWN // dataset.classes)
    shown = [n for c in range(dataset.classes) for n in np.flatnonzero(labels == c)[:each]]
    sources, fields = kind.write(out, dataset, first)
    return sources, {
        "kind": kind.name,
        "classes": dataset.classes,
        "names": list(dataset.label_names),
        "labels": labels.tolist(),
        "shown": [int(number) for number in shown[:SHOWN]],
        **fields,
    }


def kind_of(problem):
    """The kind of a problem's messages.

    Args:
        problem: `run.problem.Problem`.

    Raises:
        ExportError: if the page has none for its task.
    """
    dataset = problem.dataset
    task = problem.scenario.task(dataset)
    if task in KINDS and answer(KINDS, task).shows(problem):
        return answer(KINDS, task)
    kinds = dict.fromkeys(answer(KINDS, name).about for name in KINDS)
    raise ExportError(
        f"expected a task that the page can show, {', '.join(kinds)}, got the task {task!r} on "
        f"{dataset.describe()}"
    )
