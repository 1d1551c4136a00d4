"""Reading what was published, for the command line: connections, output formats, the texts that people see."""
