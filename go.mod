module fletch

go 1.26

require (
	github.com/apache/arrow/go/v15 v15.0.2
	github.com/urfave/cli/v2 v2.27.7
)
