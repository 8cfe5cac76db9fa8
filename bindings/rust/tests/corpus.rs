//! The conformance corpus of the repository: every valid file reads to the report beside it, every
//! invalid one is refused by the rule that it breaks. The reporter is the program that
//! `npm run conformance` runs.

mod files;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use files::repository;
use serde_json::Value;

fn reports(paths: &[PathBuf], arguments: &[&str]) -> Vec<Value> {
    let mut reporter = Command::new(env!("CARGO_BIN_EXE_reporter"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = paths
        .iter()
        .map(|path| format!("{}\n", path.display()))
        .collect();
    let mut input = reporter.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()).unwrap());
    let output = reporter.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn it_is_read_and_refused_as_it_has_to_be() {
    let corpus = repository("test/conformance");
    let Ok(invalid) = std::fs::read_to_string(corpus.join("invalid.json")) else {
        eprintln!("skipped: there is no corpus in test/conformance");
        return;
    };
    let mut cases: Vec<(PathBuf, Value)> = Vec::new();
    for entry in std::fs::read_dir(corpus.join("valid")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "ckpt")
        {
            let report = std::fs::read_to_string(path.with_extension("json")).unwrap();
            cases.push((path, serde_json::from_str(&report).unwrap()));
        }
    }
    let valid = cases.len();
    let invalid: Value = serde_json::from_str(&invalid).unwrap();
    for (name, broken) in invalid.as_object().unwrap() {
        let path = corpus.join("invalid").join(format!("{name}.ckpt"));
        let error = serde_json::json!({ "code": broken["code"], "rule": broken["rule"] });
        cases.push((path, serde_json::json!({ "error": error })));
    }
    assert!(valid > 0 && cases.len() > valid);

    let paths: Vec<PathBuf> = cases.iter().map(|(path, _)| path.clone()).collect();
    for arguments in [&[][..], &["--read"][..]] {
        let reports = reports(&paths, arguments);
        assert_eq!(reports.len(), cases.len());
        for ((path, expected), mut actual) in cases.iter().zip(reports) {
            // Of this code the rule does not count.
            if actual["error"]["code"] == "CKPT_FILE_LENGTH" {
                actual["error"]["rule"] = expected["error"]["rule"].clone();
            }
            assert_eq!(actual, *expected, "{}", path.display());
        }
    }
}
