"""Benchmarks: `make bench` runs them and the peers side by side, and prints the ratios."""
