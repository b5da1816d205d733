"""A bundle's README.md as a Hugging Face model card: front matter, and which Eve is not stopped.

The front matter is the Hub's (huggingface.co/docs/hub/model-cards): `library_name`, `license`,
`datasets`, and the figures of the proof as a `model-index`. Left out: uploading, which is the
owner's to do, and the licence of the data, which nobody here knows.
"""

_FRONT = """\
---
library_name: keras
license: apache-2.0
tags:
- semantic-communication
- physical-layer-security
- litert
datasets:
- {dataset}
metrics:
- {field}
- accuracy
model-index:
- name: arn-keras-{pair}
  results:
  - task:
      type: other
      name: secure semantic communication
    dataset:
      name: {dataset}
      type: {dataset}
    metrics:
    - type: {field}
      name: Bob's, with both modules
      value: {value}
    - type: accuracy
      name: of an Eve who does not retrain
      value: {accuracy}
---

"""

_LIMITS = """
## What it does not stop

{limits}

The licence above is the software's; the data have their own.
"""

_AUDITED = """\
The best Eve of each rung of the audit (`python -m arn_keras.audit`, {effort} effort; who hears
nothing is right for {chance:.1%}). What is far above that is not stopped:

| rung | Eve | her accuracy |
|---|---|---|
{rows}"""

_NOT_AUDITED = """\
No Eve who adapts was measured on this pair: `python -m arn_keras.audit RUN_DIR`, then export again.
What is known of such pairs: {known}"""


def card(manifest, text, known, audit=None):
    """README.md of a bundle as a model card.

    Args:
        manifest: the bundle's, proven.
        text: its README.md.
        known: what is known of an Eve who retrains on signals of such a pair, a sentence.
        audit: contents of the run's `audit.json`, or None where there is none of this pair.
    """
    figures, field = manifest["keras"], manifest["measure"]["field"]
    front = _FRONT.format(
        dataset=manifest["dataset"],
        field=field,
        pair=manifest["pair"][:12],
        value=figures[field],
        accuracy=figures["eve_accuracy"],
    )
    best = _best(audit, manifest["protection"]) if audit else {}
    limits = _NOT_AUDITED.format(known=known)
    if best:
        lines = (
            f"| {rung} | {row['eve']} | {row['eve_accuracy']:.1%} |" for rung, row in best.items()
        )
        limits = _AUDITED.format(
            effort=audit["effort"], chance=manifest["chance"], rows="\n".join(lines)
        )
    return front + text + _LIMITS.format(limits=limits)


def _best(audit, protection):
    """The row of the best Eve of each rung against a protection, those that count."""
    found = {}
    for row in audit["rows"]:
        if row["protection"] == protection and row.get("counts", True) and "eve_accuracy" in row:
            known = found.get(row["rung"])
            if known is None or row["eve_accuracy"] > known["eve_accuracy"]:
                found[row["rung"]] = row
    return found
