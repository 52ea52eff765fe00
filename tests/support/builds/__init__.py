"""Trees of builds, and programs that are killed while they write them."""
