"""Layer two of the report: a small typed view in, one SVG out. The same view, the same bytes."""
