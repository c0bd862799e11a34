"""How long work looks while it runs: bars in a terminal and a notebook, plain lines elsewhere."""
