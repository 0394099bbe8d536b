package main

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"fletch/cmd/fletch/config"
)

// completions are the scripts by shell. They ask fletch itself what may come next.
var completions = map[string]string{
	"bash": `_fletch() {
	local word=${COMP_WORDS[COMP_CWORD]}
	local before=("${COMP_WORDS[@]:0:COMP_CWORD}")
	[[ $word == -* ]] && before+=("$word")
	COMPREPLY=($(compgen -W "$("${before[@]}" --generate-bash-completion 2>/dev/null)" -- "$word"))
}
complete -o bashdefault -o default -F _fletch fletch
`,
	"zsh": `#compdef fletch
_fletch() {
	local -a before next
	before=("${words[@]:0:$((CURRENT - 1))}")
	[[ ${words[CURRENT]} == -* ]] && before+=("${words[CURRENT]}")
	next=("${(@f)$("${before[@]}" --generate-bash-completion 2>/dev/null)}")
	if [[ -n ${next[1]} ]]; then
		compadd -- "${next[@]}"
	else
		_files
	fi
}
compdef _fletch fletch
`,
}

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a script that lets the shell complete commands and flags",
		ArgsUsage: "bash|zsh|fish",
		Description: `For bash:  source <(fletch completion bash)
For zsh:   source <(fletch completion zsh)
For fish:  fletch completion fish | source`,
		CustomHelpTemplate: commandHelp,
		HideHelpCommand:    true,
		OnUsageError:       usageError,
		BashComplete: func(c *cli.Context) {
			fmt.Fprintln(c.App.Writer, "bash\nzsh\nfish")
		},
		Action: func(c *cli.Context) error {
			if err := arguments(c, 1); err != nil {
				return err
			}
			shell := c.Args().First()
			script, ok := completions[shell]
			if shell == "fish" {
				var err error
				if script, err = c.App.ToFishCompletion(); err != nil {
					return err
				}
				ok = true
			}
			if !ok {
				return usagef("fletch completion: want bash, zsh or fish, as in: source <(fletch completion bash)")
			}
			_, err := fmt.Fprint(c.App.Writer, script)
			return err
		},
	}
}

// completeWait is how long the cluster may take to name its jobs: somebody waits at a prompt.
const completeWait = 500 * time.Millisecond

// completeJobs completes the ID of a job, and flags.
func completeJobs(c *cli.Context) {
	cli.DefaultCompleteWithFlags(c.Command)(c)
	var s clientSettings
	if c.Args().Present() || config.Read(c, sections(), s.section()) != nil {
		return
	}
	s.timeout = completeWait
	cluster, err := s.connect()
	if err != nil {
		return
	}
	defer cluster.Close()
	jobs, _, err := cluster.Jobs(c.Context, knownJobs)
	if err != nil {
		return
	}
	for i := range jobs {
		fmt.Fprintln(c.App.Writer, jobs[i].ID)
	}
}
