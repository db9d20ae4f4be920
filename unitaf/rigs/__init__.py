"""Channel names and orders, and the meshes that curves move."""
