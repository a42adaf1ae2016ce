"""One port for other programs and for people: OSCQuery, and the performer's screen."""
