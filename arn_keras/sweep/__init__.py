"""Grids of points, on one machine or many: `python -m arn_keras.sweep`."""
