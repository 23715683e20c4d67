"""What a user names to be identified: files, folders, tables, lists and web addresses."""
