"""Which part of an image spoke for a class, by the fold model that never saw the image."""
