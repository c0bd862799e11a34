"""One function a verb: each finishes what it begins and prints nothing."""
