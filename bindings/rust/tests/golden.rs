//! The golden file says what the JSON beside it says.

mod files;

use files::{in_every_way, repository};
use lightwatch_checkpoint::{Attribute, Checkpoint, NameMap, State};
use serde_json::{json, Value};

fn double(value: f64) -> String {
    match value {
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        _ => value.to_string(),
    }
}

/// Text of a double, as JavaScript and Rust do not write all of them alike.
fn same_double(expected: &str, actual: f64) -> bool {
    match expected.parse::<f64>() {
        Ok(expected) if expected.is_nan() => actual.is_nan(),
        Ok(expected) => expected.to_bits() == actual.to_bits(),
        Err(_) => expected == double(actual),
    }
}

fn check_attributes(expected: &Value, actual: &NameMap<Attribute>) {
    let expected = expected["map"].as_array().unwrap();
    assert_eq!(expected.len(), actual.len());
    for (pair, (key, value)) in expected.iter().zip(actual.iter()) {
        assert_eq!(pair[0], key);
        check_attribute(&pair[1], value);
    }
}

fn check_attribute(expected: &Value, actual: &Attribute) {
    match actual {
        Attribute::Null => assert_eq!(*expected, Value::Null),
        Attribute::Boolean(value) => assert_eq!(*expected, json!(value)),
        Attribute::Text(value) => assert_eq!(*expected, json!(value)),
        Attribute::Integer(value) => assert_eq!(*expected, json!({ "integer": value })),
        Attribute::Int64(value) => assert_eq!(*expected, json!({ "int64": value.to_string() })),
        Attribute::Uint64(value) => assert_eq!(*expected, json!({ "uint64": value.to_string() })),
        Attribute::Float64(value) => {
            let text = expected["float64"].as_str().unwrap();
            assert!(same_double(text, *value), "{text} {value}");
        }
        Attribute::List(values) => {
            let expected = expected["list"].as_array().unwrap();
            assert_eq!(expected.len(), values.len());
            expected
                .iter()
                .zip(values)
                .for_each(|(a, b)| check_attribute(a, b));
        }
        Attribute::Map(entries) => check_attributes(expected, entries),
        other => panic!("{other:?}"),
    }
}

fn check_state(expected: &Value, actual: &State) {
    assert_eq!(expected["name"], actual.name());
    assert_eq!(expected["kind"], json!(actual.kind()));
    check_attributes(&expected["attributes"], actual.attributes());
    let tensors = expected["tensors"].as_array().unwrap();
    assert_eq!(tensors.len(), actual.tensors().len());
    for (expected, (name, tensor)) in tensors.iter().zip(actual.tensors().iter()) {
        assert_eq!(expected["name"], name);
        assert_eq!(tensor.name(), name);
        assert!(std::ptr::eq(actual.tensor(name).unwrap(), tensor));
        assert_eq!(expected["dtype"], tensor.dtype().name());
        assert_eq!(expected["shape"], json!(tensor.shape()));
        let bytes = tensor.bytes().unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(expected["data"], hex);
        assert_eq!(tensor.byte_length(), bytes.len() as u64);
        assert_eq!(tensor.offset() % 64, 0);
    }
}

fn check(expected: &Value, checkpoint: &Checkpoint) {
    checkpoint.verify().unwrap();
    assert_eq!(checkpoint.version(), 1);
    assert_eq!(expected["epoch"], checkpoint.epoch());
    assert_eq!(expected["step"], checkpoint.step());
    assert!(same_double(
        expected["loss"].as_str().unwrap(),
        checkpoint.loss().unwrap()
    ));
    assert_eq!(expected["config"], json!(checkpoint.config()));
    let metrics = expected["metrics"].as_array().unwrap();
    assert_eq!(metrics.len(), checkpoint.metrics().len());
    for (pair, (name, &value)) in metrics.iter().zip(checkpoint.metrics().iter()) {
        assert_eq!(pair[0], name);
        assert!(same_double(pair[1].as_str().unwrap(), value), "{name}");
        assert_eq!(checkpoint.metrics()[name].to_bits(), value.to_bits());
    }
    check_state(&expected["model"], checkpoint.model());
    check_state(&expected["optimizer"], checkpoint.optimizer().unwrap());
    let extras = expected["extras"].as_array().unwrap();
    assert_eq!(extras.len(), checkpoint.extras().len());
    for (expected, (name, extra)) in extras.iter().zip(checkpoint.extras().iter()) {
        assert_eq!(extra.name(), name);
        check_state(expected, extra);
    }
    assert_eq!(checkpoint.states().count(), 2 + extras.len());
}

#[test]
fn the_golden_file_reads_to_its_values_in_every_way() {
    let json = std::fs::read_to_string(repository("test/golden/v1.json")).unwrap();
    let expected: Value = serde_json::from_str(&json).unwrap();
    for checkpoint in in_every_way(&repository("test/golden/v1.ckpt")) {
        check(&expected, &checkpoint);
    }
}
