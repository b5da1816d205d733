"""Kills, damage, forgery, full disks and hostile files, in numbers: `make torture`."""
