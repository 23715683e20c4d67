"""Files that others take: archives, spreadsheets, reports."""
