//! Reports what files say, for the conformance tests: paths on standard input, one a line, and for
//! each a line of JSON on standard output. `test/conformance/README.md` says what is in it.
//!
//! With `--read` files are read instead of mapped.

use std::io::{self, BufRead, Write};
use std::path::PathBuf;

use lightwatch_checkpoint::{Attribute, Attributes, Checkpoint, NameMap, Result, State, Tensor};

/// Longest tensor whose bytes are reported, in bytes.
const MAX_REPORTED_BYTES: u64 = 256;

fn main() -> io::Result<()> {
    let map = !std::env::args().any(|argument| argument == "--read");
    let mut output = io::stdout().lock();
    let mut line = Vec::new();
    let mut input = io::stdin().lock();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        let report = match report(&path(&line), map) {
            Ok(report) => report,
            Err(error) => {
                let rule = error.rule().map_or("null".to_owned(), string);
                format!(
                    "{{\"error\":{{\"code\":{},\"rule\":{rule}}}}}",
                    string(error.code().as_str())
                )
            }
        };
        writeln!(output, "{report}")?;
        output.flush()?;
    }
}

#[cfg(unix)]
fn path(line: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(line).into()
}

#[cfg(not(unix))]
fn path(line: &[u8]) -> PathBuf {
    String::from_utf8_lossy(line).trim_end_matches('\r').into()
}

fn report(path: &PathBuf, map: bool) -> Result<String> {
    let checkpoint = Checkpoint::options().map(map).open(path)?;
    checkpoint.verify()?;
    let states = checkpoint.states().map(state).collect::<Result<Vec<_>>>()?;
    let metrics = sorted(checkpoint.metrics(), |&value| double(value));
    Ok(object(&[
        ("version", checkpoint.version().to_string()),
        ("metadata_length", checkpoint.metadata_length().to_string()),
        ("file_length", checkpoint.byte_length().to_string()),
        ("epoch", checkpoint.epoch().to_string()),
        ("step", checkpoint.step().to_string()),
        ("loss", checkpoint.loss().map_or("null".to_owned(), double)),
        ("metrics", metrics),
        ("config", optional(checkpoint.config())),
        ("sequence", integer(checkpoint.sequence())),
        ("saved_at", integer(checkpoint.saved_at())),
        ("states", list(states)),
    ]))
}

fn integer(number: Option<u64>) -> String {
    number.map_or("null".to_owned(), |number| number.to_string())
}

fn state(state: &State) -> Result<String> {
    let tensors = state
        .tensors()
        .values()
        .map(tensor)
        .collect::<Result<Vec<_>>>()?;
    Ok(object(&[
        ("name", string(state.name())),
        ("kind", optional(state.kind())),
        ("attributes", attributes(state.attributes())),
        ("tensors", list(tensors)),
    ]))
}

fn tensor(tensor: &Tensor) -> Result<String> {
    let view = tensor.bytes()?;
    let bytes = if view.len() as u64 <= MAX_REPORTED_BYTES {
        string(
            &view
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>(),
        )
    } else {
        "null".to_owned()
    };
    Ok(object(&[
        ("name", string(tensor.name())),
        ("dtype", string(tensor.dtype().name())),
        (
            "shape",
            list(tensor.shape().iter().map(|length| format!("\"{length}\""))),
        ),
        ("offset", format!("\"{}\"", tensor.offset())),
        ("byte_length", format!("\"{}\"", view.len())),
        ("crc32", format!("\"{:08x}\"", crc32fast::hash(view))),
        ("bytes", bytes),
    ]))
}

fn attributes(entries: &Attributes) -> String {
    sorted(entries, attribute)
}

fn attribute(value: &Attribute) -> String {
    match value {
        Attribute::Null => "null".to_owned(),
        Attribute::Boolean(value) => value.to_string(),
        Attribute::Integer(value) => object(&[("number", double(*value as f64))]),
        Attribute::Float64(value) => object(&[("number", double(*value))]),
        Attribute::Int64(value) => object(&[("bigint", format!("\"{value}\""))]),
        Attribute::Uint64(value) => object(&[("bigint", format!("\"{value}\""))]),
        Attribute::Text(value) => string(value),
        Attribute::List(values) => list(values.iter().map(attribute)),
        Attribute::Map(entries) => object(&[("map", attributes(entries))]),
        // A kind that this program does not know has no report.
        _ => "\"?\"".to_owned(),
    }
}

/// Pairs of names and values, by the bytes of the names.
fn sorted<T>(entries: &NameMap<T>, value: impl Fn(&T) -> String) -> String {
    let mut pairs: Vec<_> = entries.iter().collect();
    pairs.sort_by_key(|(name, _)| *name);
    list(
        pairs
            .into_iter()
            .map(|(name, of)| format!("[{},{}]", string(name), value(of))),
    )
}

/// The bits of a double in hexadecimal, the sign first; every NaN is `nan`.
fn double(value: f64) -> String {
    if value.is_nan() {
        return "\"nan\"".to_owned();
    }
    format!("\"{:016x}\"", value.to_bits())
}

fn optional(text: Option<&str>) -> String {
    text.map_or("null".to_owned(), string)
}

fn string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                json.push('\\');
                json.push(c);
            }
            // As well as what JSON wants escaped: what a reader could take for the end of a line.
            c if c < ' ' || matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}') => {
                json.push_str(&format!("\\u{:04x}", c as u32));
            }
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(","))
}

fn object(members: &[(&str, String)]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}
