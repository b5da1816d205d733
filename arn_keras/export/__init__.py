"""The device's side: writes a pair of trained modules as an edge bundle, and proves it.

`python -m export RUN_DIR` runs `bundle`, which converts in one process (`conversion`), proves in
another that has no TensorFlow (`proof`), and puts the device's client (`runtime`) beside the files.

`arn_keras.export(run_dir)` is `bundle.export`, `python -m arn_keras.export RUN_DIR` its command.
"""

from arn_keras.rooms import make_callable

#: The precisions of an exported ARN, by name; a value is a `precision.Precision` or where it is.
PRECISIONS = {
    "float32": "arn_keras.export.precision:FLOAT32",
    "float16": "arn_keras.export.precision:FLOAT16",
    "int8": "arn_keras.export.precision:INT8",
    "int8-io": "arn_keras.export.precision:INT8_IO",
}

make_callable(__name__, "arn_keras.export.bundle:export")
