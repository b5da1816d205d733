"""The page: a run's link, pair and eavesdroppers in a browser, on the bundle's own files.

`python -m arn_keras.export.web RUN_DIR` trains the eavesdroppers who adapt (`eavesdroppers`),
writes models (`contents`), `pictures` and what Python measured, builds the page of `page/` with
esbuild (`building`), and serves it (`server`).
"""
