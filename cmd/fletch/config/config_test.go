package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type values struct {
	master []string
	wait   time.Duration
	slots  int
	memory int64
	format string
	on     bool
	peers  []Pair
	once   string
}

func (v *values) sections() []Section {
	return []Section{
		{Name: "client", Settings: []Setting{
			{Name: "master", Usage: "ask `ADDRESSES`", Value: Addresses(&v.master)},
			{Name: "wait", Usage: "wait `DURATION`", Value: Duration(&v.wait, time.Millisecond)},
			{Name: "once", Usage: "do it to `IT`", Value: Text(&v.once), FlagOnly: true},
		}},
		{Name: "worker", Settings: []Setting{
			{Name: "slots", Usage: "run `N`", Value: Count(&v.slots, 1, 100)},
			{Name: "memory", Usage: "use `SIZE`", Value: Size(&v.memory, 64<<20, 1<<40)},
			{Name: "log-format", Usage: "log as `FORMAT`", Value: Choice(&v.format, "text", "json")},
			{Name: "peers", Usage: "begin with `PEERS`", Value: Pairs(&v.peers)},
			{Name: "on", Usage: "do it", Value: Switch(&v.on)},
		}},
	}
}

// read reads the settings as a command with these flags would.
func read(t *testing.T, args ...string) (values, error) {
	t.Helper()
	var v values
	app := &cli.App{
		Flags: []cli.Flag{&cli.StringFlag{Name: FileFlag}}, ExitErrHandler: func(*cli.Context, error) {}, DisableSliceFlagSeparator: true,
		Action: func(c *cli.Context) error { return Read(c, v.sections(), v.sections()...) },
	}
	for _, s := range v.sections() {
		app.Flags = append(app.Flags, s.Flags()...)
	}
	err := app.Run(append([]string{"app"}, args...))
	return v, err
}

const tomlFile = `
# a cluster
[client]
master = ["a:1", "b:2"]

[worker]
slots = 3
memory = "128MiB"
on = true
`

const yamlFile = `
client:
  master: [a:1, b:2]
worker:
  slots: 3
  memory: 128MiB
  on: true
`

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOrder(t *testing.T) {
	for _, name := range []string{"config.toml", "config.yaml", "config.yml"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("XDG_CONFIG_HOME", t.TempDir())
			text := yamlFile
			if strings.HasSuffix(name, ".toml") {
				text = tomlFile
			}
			path := write(t, name, text)
			t.Setenv("FLETCH_SLOTS", "5")
			t.Setenv("FLETCH_MEMORY", "") // as if it were not there
			t.Setenv("FLETCH_ON", "false")
			t.Setenv("FLETCH_ONCE", "no")
			v, err := read(t, "--config", path, "--log-format", "json", "--peers", "m1=a:1,m2=b:2", "--wait=2s")
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(v.master, []string{"a:1", "b:2"}) || v.slots != 5 || v.memory != 128<<20 || v.format != "json" || v.on || v.wait != 2*time.Second || v.once != "" {
				t.Errorf("%+v", v)
			}
			if !slices.Equal(v.peers, []Pair{{"m1", "a:1"}, {"m2", "b:2"}}) {
				t.Errorf("%+v", v.peers)
			}
			if v, err = read(t, "--config", path, "--slots", "7", "--on", "--master", "c:3"); err != nil || v.slots != 7 || !v.on || !slices.Equal(v.master, []string{"c:3"}) {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
}

func TestDefaultFile(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	if v, err := read(t); err != nil || v.slots != 0 {
		t.Fatalf("%+v, %v", v, err)
	}
	path := filepath.Join(home, "fletch", "config.toml")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(tomlFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if v, err := read(t); err != nil || v.slots != 3 {
		t.Fatalf("%+v, %v", v, err)
	}
	t.Setenv("FLETCH_CONFIG", write(t, "other.toml", "[worker]\nslots = 4"))
	if v, err := read(t); err != nil || v.slots != 4 {
		t.Fatalf("%+v, %v", v, err)
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a.toml", "[worker]\nslot = 3", "a.toml: worker.slot: there is no such setting; there are slots, memory"},
		{"a.yaml", "worker:\n  slot: 3", "a.yaml:2: worker.slot: there is no such setting"},
		{"a.toml", "[wroker]\nslots = 3", "a.toml: wroker.slots: there is no section wroker; there are client, worker"},
		{"a.toml", "slots = 3", "a.toml: slots: it stands in no section; there are client, worker"},
		{"a.yaml", "slots: 3", "a.yaml:1: slots: it stands in no section"},
		{"a.toml", "[worker]\nslots = 0", "a.toml: worker.slots = 0: want a number from 1 to 100"},
		{"a.yaml", "\nworker:\n  slots: many", "a.yaml:3: worker.slots = many: want a number"},
		{"a.toml", "[worker]\nmemory = \"1MiB\"", "want at least 64 MiB"},
		{"a.toml", "[worker]\nlog-format = \"xml\"", "want text or json"},
		{"a.toml", "[worker]\non = \"maybe\"", "want true or false"},
		{"a.toml", "[worker]\npeers = [\"a:1\"]", "want names with addresses"},
		{"a.toml", "[worker]\npeers = [\"m=a:1\", \"m=b:1\"]", "m=b:1 stands there twice"},
		{"a.toml", "[client]\nmaster = \"a\"", "want addresses, as host:port,host:port"},
		{"a.toml", "[client]\nwait = 3", "want a duration"},
		{"a.toml", "[client]\nonce = \"x\"", "there is no such setting; there are master, wait"},
		{"a.toml", "[worker]\nslots = 1979-05-27", "worker.slots: want a text, a number"},
		{"a.toml", "[worker]\nslots = [1]", "worker.slots: want a text, a number"},
		{"a.toml", "[worker\n", "a.toml:"},
		{"a.toml", "[worker]\nslots = 1\nslots = 2", "a.toml:3: "},
		{"a.yaml", "worker:\n  slots: 1\n  slots: 2", "a.yaml:3: worker.slots stands there twice"},
		{"a.yaml", "worker: [", "a.yaml: "},
		{"a.yaml", "- worker", "a.yaml:1: want sections with settings"},
		{"a.yaml", "worker:\n  slots: {a: 1}", "a.yaml:2: worker.slots: want a text"},
		{"a.ini", "", "is no configuration: want a file whose name ends in"},
	} {
		path := write(t, c.name, c.text)
		_, err := read(t, "--config", path)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
	if _, err := read(t, "--config", "/nowhere/config.toml"); err == nil {
		t.Error("a file that is not there was read")
	}
	if _, err := read(t, "--slots", "x"); err == nil || !strings.HasPrefix(err.Error(), "--slots x: want") {
		t.Error(err)
	}
	t.Setenv("FLETCH_SLOTS", "x")
	t.Setenv("FLETCH_MEMORY", "y")
	if _, err := read(t); err == nil || !strings.Contains(err.Error(), "FLETCH_SLOTS=x: want") || !strings.Contains(err.Error(), "FLETCH_MEMORY=y: want") {
		t.Error(err)
	}
}

func FuzzFile(f *testing.F) {
	f.Add(true, tomlFile)
	f.Add(false, yamlFile)
	f.Add(false, "a: &a [*a]")
	f.Fuzz(func(_ *testing.T, isTOML bool, text string) {
		var read file
		var err error
		if isTOML {
			read, err = readTOML("f", text)
		} else {
			read, err = readYAML("f", []byte(text))
		}
		if err == nil {
			_ = read.check((&values{}).sections()) // no panic
		}
	})
}
