"""The one way to read untrusted JSON, YAML and TOML into typed values."""
