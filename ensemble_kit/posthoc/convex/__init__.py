"""Small convex problems that ensembling and calibration share, solved to their optimum."""
