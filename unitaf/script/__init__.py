"""How a script file becomes utterances: one file a format, one rule book for all of them."""
