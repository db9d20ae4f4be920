"""What is measured of unitaf's speed and memory, each by a program of its own."""
