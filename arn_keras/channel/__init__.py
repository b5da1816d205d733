"""What the air does to a signal."""
