"""The study on the web: pages and an HTTP interface over `hlf.study.running.platform`."""
