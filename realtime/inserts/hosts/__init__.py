"""All hosts of plug-ins together: opening one by its name, and listing what is installed."""
