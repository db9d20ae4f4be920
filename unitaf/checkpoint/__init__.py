"""Checkpoints: a folder with the weights and a description that says everything about them.

There are two kinds: `unitalker`, which moves a face to recordings, and `face_model`, which moves
one to the features of a text-to-speech engine.
"""
