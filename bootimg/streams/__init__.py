"""What is published of builds: versions, release.json, the stream JSON that installers read."""
