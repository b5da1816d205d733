"""Sentences on the page: token ids, and the words that they stand for."""

import json

from arn_keras.export.web.kind import Kind
from arn_keras.machine.files import atomic_file


class SentenceKind(Kind):
    """Sentences that Bob is to read."""

    name = "sentences"
    about = "sentences"

    def write(self, out, dataset, first):
        """Writes `sentences.json`: `sentences`, token ids, and `vocabulary`, their words."""
        with atomic_file(out / "sentences.json") as temporary:
            temporary.write_text(
                json.dumps({"sentences": first.source.tolist(), "vocabulary": dataset.vocabulary})
            )
        return first.source, {}

    def figures(self, sources, estimates):
        """`read`, the token ids that Bob reads."""
        return {"read": estimates.argmax(axis=-1).tolist()}


SENTENCES = SentenceKind()
