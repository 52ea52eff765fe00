"""What pods reach on the bridge: S3 and AWS (moto), and a registry."""
