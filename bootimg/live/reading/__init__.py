"""Reading of finished live media: an ISO, or the files for network boots.  All of it is untrusted."""
