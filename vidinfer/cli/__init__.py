"""The command line: a thin face over the library, and the only place that prints."""
