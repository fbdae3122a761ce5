//! The JSON schema of the configuration: what is committed is what is printed, and it says what the parser says.

use std::fs;

use bonafide::config;
use serde_json::{Map, Value};

use crate::config::{TABLES, examples};
use crate::policies;

#[test]
fn the_committed_schema_is_the_one_that_is_printed() {
    let committed: Value = serde_json::from_str(include_str!("../../config/schema.json")).unwrap();
    assert!(committed == config::schema(), "run: cargo run -- config schema > config/schema.json");
}

#[test]
fn every_configuration_of_the_documentation_fits_the_schema() {
    for page in ["docs/configuration.md", "docs/policy.md", "docs/trust.md", "docs/upstreams.md", "README.md"] {
        for example in examples(page) {
            assert_eq!(misfits(&example), Vec::<String>::new(), "{page}\n{example}");
        }
    }
    assert_eq!(misfits(config::BUILT_IN), Vec::<String>::new());
    for file in policies::examples() {
        assert_eq!(misfits(&fs::read_to_string(&file).unwrap()), Vec::<String>::new(), "{}", file.display());
    }
}

#[test]
fn a_key_that_the_parser_does_not_know_does_not_fit_the_schema() {
    for (table, head) in TABLES {
        let misfits = misfits(&format!("{head}zzzzzzzzzzzz = 1"));
        assert!(misfits.iter().any(|misfit| misfit.contains("zzzzzzzzzzzz")), "{table}: {misfits:?}");
    }
}

#[test]
fn a_value_that_cannot_be_read_does_not_fit_the_schema() {
    let upstream = "[[upstream]]\nname = 'a.io'\nurl = 'https://a.io'\n";
    for (text, at) in [
        (format!("{upstream}tag_ttl = '60'"), "/upstream/0/tag_ttl"),
        (format!("{upstream}tag_ttl = 60"), "/upstream/0/tag_ttl"),
        (format!("{upstream}auth = {{ username = 'u', password = 'p' }}"), "/upstream/0/auth"),
        ("[storage]\nmax_size = '50G'".to_owned(), "/storage/max_size"),
        ("[revoked]\ndigests = ['sha256:0']".to_owned(), "/revoked/digests/0"),
        ("[[rule]]\nname = 'r'\nimages = ['a.io/b']\nmode = 'off'".to_owned(), "/rule/0/mode"),
        ("[[rule]]\nname = 'r'\nimages = ['a.io/b']\n[rule.provenance]\nlevel = 4".to_owned(), "/rule/0/provenance"),
        ("[[exception]]\nimage = 'a'\nreason = 'r'".to_owned(), "/exception/0"),
        ("[[exception]]\nimage = 'a'\nreason = 'r'\nuntil = 2027-01-01".to_owned(), "/exception/0/until"),
    ] {
        let misfits = misfits(&text);
        assert!(misfits.iter().any(|misfit| misfit.starts_with(at)), "{text}: {misfits:?}");
    }
}

#[test]
fn every_default_in_the_schema_fits_it() {
    fn check(schema: &Value, checked: &mut usize) {
        let Some(object) = schema.as_object() else {
            return schema.as_array().into_iter().flatten().for_each(|one| check(one, checked));
        };
        if let Some(default) = object.get("default").filter(|_| object.contains_key("description")) {
            *checked += 1;
            assert!(jsonschema::is_valid(schema, default), "{schema}");
        }
        object.values().for_each(|one| check(one, checked));
    }
    let mut checked = 0;
    check(&config::schema(), &mut checked);
    assert!(checked > 5, "there are defaults");
}

/// Where a configuration does not fit the schema, and why.
fn misfits(text: &str) -> Vec<String> {
    let validator = jsonschema::options().should_validate_formats(true).build(&config::schema()).unwrap();
    let file = as_json(toml::from_str(text).unwrap());
    validator.iter_errors(&file).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// TOML as editors hand it to a schema: a date-time is a text.
fn as_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(all) => all.into_iter().map(as_json).collect(),
        toml::Value::Table(table) => {
            table.into_iter().map(|(key, value)| (key, as_json(value))).collect::<Map<_, _>>().into()
        }
    }
}
