package plugins

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Manifest is what fletch build says about a plugin. The same source gives the same manifest.
type Manifest struct {
	Format  int    `json:"format"`
	Fletch  string `json:"fletch"`  // the version of the fletch that built it
	Package string `json:"package"` // the job's import path
	// Root and ModuleCache are the directories that fletch's packages and those of other modules were compiled in; empty
	// if the build left them out, as with -trimpath.
	Root        string            `json:"root,omitempty"`
	ModuleCache string            `json:"module_cache,omitempty"`
	Sources     map[string]string `json:"sources"` // the hash of each package that the plugin shares with fletch, by import path
	Size        int64             `json:"size"`    // of the shared object before the manifest
	SHA256      string            `json:"sha256"`  // of the same
}

const (
	manifestFormat = 1
	manifestMagic  = "FLETCH PLUGIN 1\n"
	footerBytes    = 8 + len(manifestMagic) // the manifest's length, little-endian, and the magic: the last bytes of the file

	// maxManifest bounds the manifest; with a hash of 64 characters a package it holds thousands of packages.
	maxManifest = 1 << 20
)

// Append returns dst with the manifest as it stands at the end of a plugin.
func (m *Manifest) Append(dst []byte) ([]byte, error) {
	stamped := *m
	stamped.Format = manifestFormat
	text, err := json.Marshal(&stamped)
	if err != nil {
		return nil, err
	}
	if len(text) > maxManifest {
		return nil, fmt.Errorf("the manifest has %d bytes, more than %d", len(text), maxManifest)
	}
	dst = append(dst, text...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(text)))
	return append(dst, manifestMagic...), nil
}

// errNoManifest means that the file does not end as fletch build makes it end.
var errNoManifest = errors.New("there is no manifest")

// readManifest reads the manifest at the end of a file of the given size.
func readManifest(r io.ReaderAt, size int64) (*Manifest, error) {
	if size < int64(footerBytes) {
		return nil, errNoManifest
	}
	footer := make([]byte, footerBytes)
	if _, err := r.ReadAt(footer, size-int64(footerBytes)); err != nil {
		return nil, fmt.Errorf("read the end of the plugin: %w", err)
	}
	if string(footer[8:]) != manifestMagic {
		return nil, errNoManifest
	}
	length := binary.LittleEndian.Uint64(footer)
	if length > maxManifest || int64(length) > size-int64(footerBytes) {
		return nil, fmt.Errorf("the manifest's length is %d bytes: want at most %d, and no more than the file has", length, maxManifest)
	}
	text := make([]byte, length)
	at := size - int64(footerBytes) - int64(length)
	if _, err := r.ReadAt(text, at); err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	switch {
	case m.Format != manifestFormat:
		return nil, fmt.Errorf("the manifest has format %d, this fletch reads %d", m.Format, manifestFormat)
	case m.Size != at:
		return nil, fmt.Errorf("the manifest is of a shared object of %d bytes, and stands behind one of %d", m.Size, at)
	}
	return &m, nil
}
