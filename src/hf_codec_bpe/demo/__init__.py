"""A first minute with the package: a round trip, and a page to try it on."""
