"""Value types that cross borders, errors, whole files or none. Imports nothing of the package."""
