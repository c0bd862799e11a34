"""Decoded pixels and activations on disk: written once, shared by folds, trials and runs."""
