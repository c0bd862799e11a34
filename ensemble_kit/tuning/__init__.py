"""Optuna studies whose trials are judged on fixed, group-safe folds and compared in pairs."""
