"""The stages of a stream's builds for engines of pipelines: data of bootimg, found as `bootimg_pipelines`."""
