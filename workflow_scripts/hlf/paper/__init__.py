"""What people read: Tables 2 to 4, the figures and the report. No statistics and no measurements are made up here."""
