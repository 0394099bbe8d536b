package storage

import (
	"encoding/json"
	"fmt"
	"strconv"

	"fletch/engine/plan"
)

// manifestName is the file that every published output holds and by which it is known to be whole.
const manifestName = "_SUCCESS"

// manifest is the content of _SUCCESS, as indented JSON.
type manifest struct {
	Job   string         `json:"job"`
	Parts []manifestPart `json:"parts"`
	Rows  int64          `json:"rows"`
	Bytes int64          `json:"bytes"`
}

type manifestPart struct {
	Name   string `json:"name"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	CRC32C string `json:"crc32c"` // 8 hexadecimal digits
}

func newManifest(jobID, suffix string, parts []plan.Part) manifest {
	m := manifest{Job: jobID}
	// As many digits for each, so that the order of the names is the order of the parts.
	digits := max(5, len(strconv.Itoa(len(parts)-1)))
	for i, p := range parts {
		m.Rows += p.Rows
		m.Bytes += p.Bytes
		m.Parts = append(m.Parts, manifestPart{
			Name:   fmt.Sprintf("part-%0*d%s", digits, i, suffix),
			Rows:   p.Rows,
			Bytes:  p.Bytes,
			CRC32C: fmt.Sprintf("%08x", p.CRC32C),
		})
	}
	return m
}

func (m manifest) encode() []byte {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return append(text, '\n')
}

// checkParts refuses a list of parts that cannot be published.
func checkParts(parts []plan.Part) error {
	if len(parts) == 0 {
		return permanentf("an output of no parts: an empty result has one empty part")
	}
	seen := make(map[string]bool, len(parts))
	for _, p := range parts {
		if !nameForm.MatchString(p.Name) || seen[p.Name] {
			return permanentf("output part %q is invalid or named twice", p.Name)
		}
		seen[p.Name] = true
	}
	return nil
}
