"""How far a sweep is: by the operations of its tasks, which differ by a thousand times."""

import sys


class Progress:
    """A bar with the time left on a terminal, a line a task elsewhere."""

    def __init__(self, total, say):
        from tqdm import tqdm

        self._say = say if not sys.stderr.isatty() else lambda line: None
        self._bar = tqdm(
            total=total,
            disable=None,
            bar_format="{percentage:3.0f}%|{bar}| {elapsed} so far, {remaining} left, {desc}",
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._bar.close()

    def done(self, operations, name):
        """Counts a finished task."""
        self._bar.set_description_str(name, refresh=False)
        self._bar.update(operations)
        self._say(f"done     {name}")
