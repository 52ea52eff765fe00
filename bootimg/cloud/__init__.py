"""What uploaders share: the life cycle of cloud images, retries, journal, parts, results in meta.json.

An uploader is a plugin (entry points `bootimg.uploaders`), named by `Platform.uploader`.  It imports
`bootimg.cloud.plugin` and its SDK, and nothing else of bootimg.  What was decided:

- A verb is a function of the uploader.  It plans: it returns one job for each place (a region, a project, a
  bucket).  `lifecycle` runs the jobs side by side, and records each result in meta.json when its job ends.
  So a place that fails never hides another.
- A job looks first, and does only what is missing.  Its calls that change something go through `CallLog`:
  with `--dry-run` the same code runs, and these calls are only listed.
- The uploader turns its SDK's passing failures into `TransientError`, with the SDK's own retries off.
  `Retry` is the only place that tries again.
- The journal is for what cannot be looked up in the cloud: tokens that make a call safe to repeat, and parts
  that were sent.  All else is found by name and tag.
- The form of a result is what the platform's `Upload` says; there is no other table of clouds.
"""
