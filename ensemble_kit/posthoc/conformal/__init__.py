"""Prediction sets with a coverage guarantee, from stored probabilities alone."""
