"""Deletes the cloud images of old builds, by a policy, and records it in builds.json.

What was decided:

- The judgement is a pure function of facts (`judging`); an image that a stream's file names is never deleted.
- A build is refused as a whole, before anything of it is deleted, if its meta.json has a record that is
  malformed or that no installed uploader knows.
- What is gone is noted in the journals of uploads.  builds.json says that an action is done only when the
  images of all architectures and clouds are gone.  So a run that was killed, or that failed in one region or
  account, is continued by the same command.
"""
