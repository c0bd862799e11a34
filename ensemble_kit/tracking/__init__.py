"""A copy of what a command does in a tracker of experiments; one file a tracker."""
