"""Base systems that the modules are plugged into, and that are frozen then."""
