"""What Alice sends, and what of it is private: sources, their labels, where they are found."""

#: What is done with stored sources before a transmitter gets them.
PREPROCESSING = {
    "none": None,
    "unit_interval": "arn_keras.data.preprocessing:unit_interval",
}
