"""What a study gives: tables, verdicts on people, statistics, and the export folder."""
