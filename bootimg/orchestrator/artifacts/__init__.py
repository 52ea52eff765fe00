"""Making the platforms' images: patch, packaging, compression, cost."""
