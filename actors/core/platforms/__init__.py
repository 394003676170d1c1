"""The platforms: Surface, Runtime, Protocol and Mirror, the four members of an instance, and who lives in them."""
