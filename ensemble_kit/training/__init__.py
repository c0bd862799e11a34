"""From a table, folds and a study to fold models and out-of-fold probabilities."""
