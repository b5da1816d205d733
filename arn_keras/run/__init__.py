"""The main job: configuration, run directory, stages, command line."""
