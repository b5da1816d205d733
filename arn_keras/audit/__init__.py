"""How much an eavesdropper learns who moves last: a ladder of them, and what each protection costs.

`arn_keras.audit(run_dir)` is `conduct.conduct`, `python -m arn_keras.audit RUN_DIR` its command.
"""

from arn_keras.rooms import make_callable

make_callable(__name__, "arn_keras.audit.conduct:conduct")
