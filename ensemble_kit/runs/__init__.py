"""The format of a run folder: names, manifest, one typed record for each file; nothing else."""
