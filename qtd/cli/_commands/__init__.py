"""One file a command, named as it is typed: what is added to this folder joins `qtd`."""
