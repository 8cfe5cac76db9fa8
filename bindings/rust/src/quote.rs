//! Text from a file or a caller, made safe to print: a name in a file must not be able to steer a
//! terminal or mislead a reader.

use std::fmt::Write;

// Longest text that a message quotes in full, in characters.
const QUOTE_LIMIT: usize = 200;

// Unicode's general category Cf (format characters: invisible, or reversing the direction of text),
// and Zl and Zp (separators of lines). std knows only category Cc.
const FORMAT: [(u32, u32); 21] = [
    (0x00ad, 0x00ad),
    (0x0600, 0x0605),
    (0x061c, 0x061c),
    (0x06dd, 0x06dd),
    (0x070f, 0x070f),
    (0x0890, 0x0891),
    (0x08e2, 0x08e2),
    (0x180e, 0x180e),
    (0x200b, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x2064),
    (0x2066, 0x206f),
    (0xfeff, 0xfeff),
    (0xfff9, 0xfffb),
    (0x110bd, 0x110bd),
    (0x110cd, 0x110cd),
    (0x13430, 0x1343f),
    (0x1bca0, 0x1bca3),
    (0x1d173, 0x1d17a),
    (0xe0001, 0xe0001),
    (0xe0020, 0xe007f),
];

fn steers(c: char) -> bool {
    let code = c as u32;
    c.is_control()
        || FORMAT
            .iter()
            .any(|&(first, last)| (first..=last).contains(&code))
}

/// Quotes a text, at most a line long. Each character that steers a terminal becomes `\u{...}`.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len().min(QUOTE_LIMIT) + 2);
    quoted.push('"');
    for (i, c) in text.chars().enumerate() {
        if i == QUOTE_LIMIT {
            quoted.push('…');
            break;
        }
        if c == '"' {
            quoted.push_str("\\\"");
        } else if steers(c) {
            let _ = write!(quoted, "\\u{{{code:x}}}", code = c as u32);
        } else {
            quoted.push(c);
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(
            quote("a\u{1b}[2J\n\u{202e}b\u{85}"),
            r#""a\u{1b}[2J\u{a}\u{202e}b\u{85}""#
        );
        assert_eq!(quote("größe \"☃\""), r#""größe \"☃\"""#);
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(quote(&"é".repeat(201)), format!("\"{}…\"", "é".repeat(200)));
    }
}
