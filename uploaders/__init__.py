"""The uploaders that come with bootimg, one module for each cloud; installed as `bootimg_uploaders`.

They are plugins: they know `bootimg.cloud.plugin` and their SDK, which is imported when it is used.
"""
