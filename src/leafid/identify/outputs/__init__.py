"""Records as files: CSV, JSON lines, Parquet, Darwin Core, report and terminal."""
