"""Everything fitted after training, through one cross-fitting function."""
