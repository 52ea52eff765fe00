"""The program osbuild as a second builder."""
