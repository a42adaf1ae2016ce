"""The one exception that means: the user can do something about this."""


class StruckError(Exception):
    """A fault outside the program (a file, a device, an argument), told in one clear line.

    The command line prints it without a stack trace and exits 1.
    """
