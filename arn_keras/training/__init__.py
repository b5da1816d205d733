"""The Keras models that are fitted, and what makes their training fast, exact and resumable."""
