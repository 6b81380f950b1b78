"""Networks and the adapters to the packages that define them."""
