"""What the air does to a signal."""

#: Channels, `channel.listener.Listener`.
CHANNELS = {
    "awgn": "arn_keras.channel.awgn:AWGN",
}
