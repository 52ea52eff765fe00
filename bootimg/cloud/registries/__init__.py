"""Builds in container registries: containers as one list over architectures, disks as OCI artifacts.

A registry is a destination, not an uploader's cloud.  What was decided, and why:

- An uploader's task is one image of one architecture.  A list spans the architectures of a build, and its
  tags are set once all of them are there.  The layer, the extensions and a disk in a registry are not
  platforms either.  So `bootimg upload --registry KIND` chooses by the kinds of the pipeline's
  `registry_repos` (`oscontainer`, `extensions`, `kubevirt` …), and `disks`.  The pipeline pushes when it
  releases, not when it uploads to clouds: without `--registry` nothing is pushed.
- The life cycle is that of the clouds: `CallLog` with its dry run, `Retry`, results by place, exit code 4.
- There is no journal.  Every manifest is a function of the build, so its digest says whether it is there.
- skopeo copies blobs and manifests, each image by its digest, under no tag.  What the registry has is not
  sent.  Lists, deletions and referrers go through the registry's HTTP API (`client`): skopeo 1.9, for one,
  pushes an OCI index only after writing it anew, without `artifactType`; and no skopeo knows referrers.
- A tag is set last.  One that moves from build to build is never set to an older build than it names, nor to
  a list that lacks an architecture of the build.  The API has no conditional write: pushes from one cache
  wait for each other, and each push looks at a tag before and after it sets it.
"""
