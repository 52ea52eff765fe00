"""The programs that a cluster consists of, made once and kept in the test cache."""
