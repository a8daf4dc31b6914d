// Package report prints rows: [Table] for people, [JSON] one object a line, [Plot] as drawings.
package report
