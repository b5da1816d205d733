"""The device's side: writes a pair of trained modules as an edge bundle, and proves it.

`python -m export RUN_DIR` runs `bundle`, which converts in one process (`conversion`), proves in
another that has no TensorFlow (`proof`), and puts the device's client (`runtime`) beside the files.
"""
