"""Calibrators: small frozen steps from probabilities to better-founded probabilities."""
