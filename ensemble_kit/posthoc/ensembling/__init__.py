"""Ways of making one table of probabilities out of several, each a small frozen step."""
