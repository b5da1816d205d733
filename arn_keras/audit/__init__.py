"""What an eavesdropper who moves last gets out of a run: `python -m arn_keras.audit RUN_DIR`."""
