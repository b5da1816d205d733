"""What Bob is judged by: the loss L2 of Eq. (21), the measures of a row, the picture."""

TASKS = {
    "image": "arn_keras.task.image:IMAGE",
    "photograph": "arn_keras.task.photograph:PHOTOGRAPH",
    "signal": "arn_keras.task.signal:SIGNAL",
    "modem": "arn_keras.task.modem:MODEM",
    "label": "arn_keras.task.label:LABEL",
    "text": "arn_keras.task.text:TEXT",
    "similarity": "arn_keras.task.text:SIMILARITY",
}
