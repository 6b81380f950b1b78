"""What a finished run gives to others: a data set package, model packages, and what makes left-out pictures again."""
