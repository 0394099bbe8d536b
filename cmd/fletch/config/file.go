package config

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"gopkg.in/yaml.v3"
)

// file is a configuration file: values by section and key. What stands in no section is in the one without a name.
type file map[string]map[string]entry

// entry is a value of a file, as the text that a flag would have.
type entry struct {
	text  string
	where string // the file, the line where it is known, and the key
}

func (f file) sections() []string { return slices.Sorted(maps.Keys(f)) }

// keys returns a section's entries in order.
func (f file) keys(section string) iter.Seq2[string, entry] {
	return func(yield func(string, entry) bool) {
		for _, key := range slices.Sorted(maps.Keys(f[section])) {
			if !yield(key, f[section][key]) {
				return
			}
		}
	}
}

func (f file) add(section, key string, e entry) {
	if f[section] == nil {
		f[section] = make(map[string]entry)
	}
	f[section][key] = e
}

// readFile reads a file. One that does not exist is empty, unless it must.
func readFile(path string, must bool) (file, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !must {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	switch filepath.Ext(path) {
	case ".toml":
		return readTOML(path, string(text))
	case ".yaml", ".yml":
		return readYAML(path, text)
	}
	return nil, fmt.Errorf("%s is no configuration: want a file whose name ends in .toml, .yaml or .yml", path)
}

func readTOML(path, text string) (file, error) {
	var sections map[string]any
	if _, err := toml.Decode(text, &sections); err != nil {
		if at, ok := errors.AsType[toml.ParseError](err); ok {
			return nil, fmt.Errorf("%s:%d: %s", path, at.Position.Line, at.Message)
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f := make(file)
	for name, value := range sections {
		keys, ok := value.(map[string]any)
		if !ok {
			name, keys = "", map[string]any{name: value}
		}
		for key, value := range keys {
			where := path + ": " + strings.TrimPrefix(name+"."+key, ".")
			text, err := textOf(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", where, err)
			}
			f.add(name, key, entry{text, where})
		}
	}
	return f, nil
}

// errKind refuses a value that no flag could have.
var errKind = errors.New("want a text, a number, true or false, or a list of texts")

// textOf returns a value as a flag has it: a list with commas.
func textOf(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case bool:
		return strconv.FormatBool(v), nil
	case []any:
		var items []string
		for _, item := range v {
			text, ok := item.(string)
			if !ok {
				return "", errKind
			}
			items = append(items, text)
		}
		return strings.Join(items, ","), nil
	}
	return "", errKind
}

func readYAML(path string, text []byte) (file, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f := make(file)
	if len(document.Content) == 0 { // nothing but comments
		return f, nil
	}
	return f, f.yamlSections(path, document.Content[0])
}

func (f file) yamlSections(path string, root *yaml.Node) error {
	return eachKey(path, "", root, func(name string, value *yaml.Node) error {
		if value.Kind != yaml.MappingNode {
			return f.addYAML(path, "", name, value)
		}
		return eachKey(path, name, value, func(key string, value *yaml.Node) error {
			return f.addYAML(path, name, key, value)
		})
	})
}

// eachKey calls do for each key of a mapping.
func eachKey(path, name string, node *yaml.Node, do func(key string, value *yaml.Node) error) error {
	if node.Kind != yaml.MappingNode {
		return fmt.Errorf("%s:%d: want sections with settings", path, node.Line)
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if key.Kind != yaml.ScalarNode || seen[key.Value] {
			return fmt.Errorf("%s:%d: %s stands there twice, or is no name", path, key.Line, strings.TrimPrefix(name+"."+key.Value, "."))
		}
		seen[key.Value] = true
		if err := do(key.Value, node.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (f file) addYAML(path, section, key string, value *yaml.Node) error {
	where := fmt.Sprintf("%s:%d: %s", path, value.Line, strings.TrimPrefix(section+"."+key, "."))
	switch value.Kind {
	case yaml.ScalarNode:
		f.add(section, key, entry{value.Value, where})
		return nil
	case yaml.SequenceNode:
		var items []string
		for _, item := range value.Content {
			if item.Kind != yaml.ScalarNode {
				return fmt.Errorf("%s: %w", where, errKind)
			}
			items = append(items, item.Value)
		}
		f.add(section, key, entry{strings.Join(items, ","), where})
		return nil
	}
	return fmt.Errorf("%s: %w", where, errKind)
}
