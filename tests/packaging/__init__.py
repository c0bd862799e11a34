"""The package as others get it: on other systems, and as a wheel."""
