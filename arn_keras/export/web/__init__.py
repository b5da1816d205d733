"""The page: a run's link, pair and eavesdroppers in a browser, on the bundle's own files.

`python -m export.web RUN_DIR` trains the eavesdroppers who adapt (`eavesdroppers`), writes models,
pictures and what Python measured (`contents`), builds the page of `page/` with esbuild, and serves
it (`server`).
"""
