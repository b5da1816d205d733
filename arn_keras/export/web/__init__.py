"""The page: a run's link, pair and eavesdroppers in a browser, on the bundle's own files.

`python -m arn_keras.export.web RUN_DIR` trains the eavesdroppers who adapt (`eavesdroppers`),
writes models (`contents`), messages to send (`kind`) and what Python measured, builds the page of
`page/` with esbuild (`building`), and serves it (`server`).
"""

#: What the page shows of a task, by the task's name; a value is a `kind.Kind` or where it is.
KINDS = {
    "text": "arn_keras.export.web.sentences:SENTENCES",
    "similarity": "arn_keras.export.web.sentences:SENTENCES",
    "modem": "arn_keras.export.web.frames:FRAMES",
    "image": "arn_keras.export.web.pictures:PICTURES",
    "photograph": "arn_keras.export.web.pictures:PICTURES",
}
