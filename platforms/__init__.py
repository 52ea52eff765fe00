"""The platforms that come with bootimg, one module each."""
