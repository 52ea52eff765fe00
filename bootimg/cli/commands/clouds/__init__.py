"""The verbs of the clouds: `upload`, `replicate`, `publish`, `share`, `deprecate`, `retire` and `pull`."""
