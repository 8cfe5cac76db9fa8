package checkpoint

import (
	"fmt"
	"strings"
	"unicode"
)

// Code tells programs the kind of an Error. Codes are stable.
type Code string

// Error is the one family of errors of this package; find it with errors.As.
type Error struct {
	Code Code
	// The broken rule of the format ("tensor.offset"), or empty if the code has none.
	Rule string
	// Message names what was expected and found. Names from the file are escaped in it.
	Message string
	// Cause is the error of the system, if there is one.
	Cause error
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

func failure(code Code, rule, format string, arguments ...any) *Error {
	return &Error{Code: code, Rule: rule, Message: fmt.Sprintf(format, arguments...)}
}

// Longest text that a message quotes in full, in characters.
const quoteLimit = 200

// quote makes a name safe to print: each character that steers a terminal becomes \u{...}.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	count := 0
	for _, r := range text {
		if count++; count > quoteLimit {
			b.WriteRune('…')
			break
		}
		switch {
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp):
			fmt.Fprintf(&b, "\\u{%x}", r)
		case r == '"':
			b.WriteString("\\\"")
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
