"""One module a command; each is imported when its command runs, so that --help and validate stay quick."""
