"""I/Q recordings out and in: what a radio engineer sends, and what comes back off the air.

`python -m export.radio send` runs `send`, `receive` runs `receive`, `figure` runs `figure`.
A receiver looks for frames (`search`), times and equalizes each (`equalizer`), reads its header
(`header`) and hands its signal to the bundle's client and the base receiver (`ends`).
"""
