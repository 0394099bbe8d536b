package duck

import "fmt"

// Join returns the query that joins the two tables of package dbbench, whose files are given: question 2 of db-benchmark's
// join, "medium inner on int", with all columns of x and with v2.
func Join(x, medium string) string {
	return fmt.Sprintf("select x.*, medium.v2 from %s as x join %s as medium using (id2)",
		readCSV(x, `{'id1': 'INTEGER', 'id2': 'INTEGER', 'id3': 'INTEGER', 'id4': 'VARCHAR', 'id5': 'VARCHAR', 'id6': 'VARCHAR', 'v1': 'DOUBLE'}`),
		readCSV(medium, `{'id1': 'INTEGER', 'id2': 'INTEGER', 'id4': 'VARCHAR', 'id5': 'VARCHAR', 'v2': 'DOUBLE'}`))
}
