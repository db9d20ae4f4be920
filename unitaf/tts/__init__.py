"""Text-to-speech: how text becomes speech with phones, words, pitch and features on one clock."""
