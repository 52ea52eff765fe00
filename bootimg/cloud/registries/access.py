"""What the uploader `registry` uses: the API for plugins of what is pushed to registries."""

from __future__ import annotations

from bootimg.cloud.registries.client import Repository as Repository
from bootimg.cloud.registries.retiring import Image as Image
from bootimg.cloud.registries.retiring import recorded_images as recorded_images
from bootimg.cloud.registries.retiring import retire_images as retire_images
from bootimg.layer.fetching.skopeo import RegistryOptions as RegistryOptions
