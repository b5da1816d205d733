"""What the air does to a signal."""

#: Channels, `channel.listener.Listener`.
CHANNELS = {
    "awgn": "arn_keras.channel.awgn:AWGN",
    "rayleigh": "arn_keras.channel.rayleigh:Rayleigh",
    "rician": "arn_keras.channel.rician:Rician",
}
