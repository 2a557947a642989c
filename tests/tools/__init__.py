"""Programs that make the data of the package, or measure it; none is part of it."""
