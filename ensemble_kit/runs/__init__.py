"""Run folders: atomic files, the manifest, and a run read back as one value."""
