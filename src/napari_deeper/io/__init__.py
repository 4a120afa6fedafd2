"""Files in, files out: one suffix -> function table, a file per format family."""
