"""What stands between unitaf and a Triton server: how nouns travel, and how a server is asked."""
