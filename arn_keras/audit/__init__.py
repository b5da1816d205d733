"""How much an eavesdropper learns who moves last: a ladder of them, and what each protection costs.

`arn_keras.audit(run_dir)` is `conduct.conduct`, `python -m arn_keras.audit RUN_DIR` its command.
"""

from arn_keras.rooms import make_callable

#: The rungs of the ladder, by name; a value is a `rung.Rung` or where it is.
RUNGS = {
    "E0": "arn_keras.audit.frozen:RUNG",
    "E1": "arn_keras.audit.unseen:RUNG",
    "E2": "arn_keras.audit.defended:RUNG",
    "E3": "arn_keras.audit.fresh:RUNG",
    "E4": "arn_keras.audit.larger:RUNG",
    "E5": "arn_keras.audit.kerckhoffs:RUNG",
    "E6": "arn_keras.audit.averaged:RUNG",
    "E7": "arn_keras.audit.simple:RUNG",
    "E8": "arn_keras.audit.keys:RUNG",
}

make_callable(__name__, "arn_keras.audit.conduct:conduct")
