// stream-reader passes JSON from stdin to stdout through the types of stream-metadata-go.
//
//	stream-reader stream    a stream, read and written again
//	stream-reader release   a release.json, as the architectures of the stream that comes of it
//	stream-reader index     a releases.json, read and written again in one line
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/coreos/stream-metadata-go/release"
	"github.com/coreos/stream-metadata-go/stream"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(what string) error {
	decoder := json.NewDecoder(os.Stdin)
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	if what == "release" {
		var found release.Release
		if err := decoder.Decode(&found); err != nil {
			return err
		}
		return encoder.Encode(stream.Stream{
			Stream:        found.Stream,
			Metadata:      stream.Metadata{LastModified: found.Metadata.LastModified},
			Architectures: found.ToStreamArchitectures(),
		})
	}
	if what == "index" {
		var found release.Index
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&found); err != nil {
			return err
		}
		written, err := json.Marshal(found)
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(written)
		return err
	}
	var found stream.Stream
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&found); err != nil {
		return err
	}
	return encoder.Encode(found)
}
