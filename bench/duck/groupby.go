package duck

import (
	"fmt"
	"maps"
	"slices"
)

// questions are those of db-benchmark's group-by that the benchmarks ask, by their numbers there. A key of one column
// is called key, a single value value, as Fletch's jobs do.
var questions = map[int]string{
	1:  "select id1 as key, sum(v1) as value from %s group by id1",
	2:  "select id1, id2, sum(v1) as value from %s group by id1, id2",
	3:  "select id3 as key, sum(v1) as v1, avg(v3) as v3 from %s group by id3",
	4:  "select id4 as key, avg(v1) as v1, avg(v2) as v2, avg(v3) as v3 from %s group by id4",
	5:  "select id6 as key, sum(v1) as v1, sum(v2) as v2, sum(v3) as v3 from %s group by id6",
	10: "select id1, id2, id3, id4, id5, id6, sum(v3) as v3, count(*) as count from %s group by id1, id2, id3, id4, id5, id6",
}

// GroupBy returns the query for a question about a table of package dbbench, whose file is the input.
func GroupBy(question int, input string) (string, error) {
	query, ok := questions[question]
	if !ok {
		return "", fmt.Errorf("there is no question %d; there are %v", question, slices.Sorted(maps.Keys(questions)))
	}
	return fmt.Sprintf(query, readCSV(input, groupByColumns)), nil
}

const groupByColumns = `{'id1': 'VARCHAR', 'id2': 'VARCHAR', 'id3': 'VARCHAR', 'id4': 'INTEGER', 'id5': 'INTEGER', 'id6': 'INTEGER',
	'v1': 'INTEGER', 'v2': 'INTEGER', 'v3': 'DOUBLE'}`

// readCSV reads a file with a header whose columns are known and none of whose fields is quoted.
func readCSV(file, columns string) string {
	return fmt.Sprintf(`read_csv(%s, columns = %s, auto_detect = false, header = true, delim = ',', quote = '', escape = '')`, quote(file), columns)
}
