"""IndexTTS2 2.0 from its published checkpoint files: a batched engine of our own.

Lines of different length are made together and each gets the numbers that it would get alone. Files
follow the way of a line: `speech_encoder`, `codec`, `campplus` and `conditioning` read the voice,
`prompt`, `gpt`, `search` and `decoding` write its codes and latents.
"""
