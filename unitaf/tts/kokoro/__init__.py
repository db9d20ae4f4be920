"""Kokoro-82M: neural voices in seven languages, by onnxruntime on a CPU."""
