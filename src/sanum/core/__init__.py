"""Records and rules that every room shares; numpy, msgspec and the standard library only."""
