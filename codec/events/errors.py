"""What the user is told: faults that end a command, and what is worth a note."""


class StruckError(Exception):
    """A fault outside the program (a file, a device, an argument), told in one clear line.

    The command line prints it without a stack trace and exits 1.
    """


class StruckWarning(UserWarning):
    """Something outside the program that the user should know and that stops nothing.

    The command line prints it as a note.
    """
