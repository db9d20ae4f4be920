"""From speech, or from a text-to-speech engine's features, to what the face does."""
