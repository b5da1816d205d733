"""The tables of README.md and of docs/results.md that are written from saved rows, not by hand."""
