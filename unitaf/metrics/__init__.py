"""How good a face motion is: pure functions of arrays, each after the paper that it names."""
