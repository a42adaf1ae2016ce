"""The rack: the process that runs plug-ins, its shared memory, and who looks after it."""
