module bootimg.test/streamreader

go 1.22

require github.com/coreos/stream-metadata-go v0.4.11
