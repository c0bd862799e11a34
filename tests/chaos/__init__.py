"""Hostile input, full disks, kills: a part in the light suite, the whole with ``make chaos``."""
