"""What a terminal, a log file or a machine gets: bars, lines, tables, JSON."""
