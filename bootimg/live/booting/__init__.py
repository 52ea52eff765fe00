"""Live media in a virtual machine: what is changed for one run is an overlay or a scratch file."""
