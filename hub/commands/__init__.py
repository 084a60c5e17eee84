"""The commands, one module a group; each has ``add_arguments(parser)``, which sets ``run`` to a function of the arguments."""
