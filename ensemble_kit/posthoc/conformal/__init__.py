"""Prediction sets that aim at a coverage, from stored probabilities alone."""
