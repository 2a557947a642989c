"""Tests that read as the specification; run by `make test`."""
