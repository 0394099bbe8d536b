package duck

import "fmt"

// Count returns the query that counts the words of a text whose only white space are spaces and line ends. The input is a
// file in UTF-8; the columns are key and value.
//
// It is the fastest of the right ways that were tried. Reading the text as CSV of one column gives the lines, as the
// delimiter doesn't occur in it. unnest as a lateral join is ten times slower.
func Count(input string) string {
	return fmt.Sprintf(`
		select word as key, count(*) as value
		from (
			select unnest(string_split(line, ' ')) as word
			from read_csv(%s, columns = {'line': 'VARCHAR'}, auto_detect = false, header = false,
				delim = chr(1), quote = '', escape = '')
		)
		where word <> ''
		group by word`, quote(input))
}
