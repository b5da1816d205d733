"""The terms of Eq. (19)."""
