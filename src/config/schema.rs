//! The JSON schema of the file, for editors: made of the types that the file is read into, so that it cannot lag behind.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use serde_json::Value;

use crate::config::file::File;

/// What a configuration file may say, as JSON Schema, draft 2020-12. A date-time of TOML is a text of that format.
///
/// It knows keys and shapes. What spans several of them (names, globs, one of two keys) only `config check` knows.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let settings = settings.with_transform(as_toml);
    let mut schema = settings.into_generator().into_root_schema_for::<File>();
    schema.insert("title".to_owned(), "The configuration of Bonafide".into());
    schema.to_value()
}

/// Leaves out what no TOML can say, and defaults that are not as somebody would write them.
fn as_toml(schema: &mut Schema) {
    for key in ["type", "enum", "anyOf"] {
        if let Some(alternatives) = schema.get_mut(key) {
            without_null(alternatives);
        }
    }
    let as_written = |default: &Value| match default {
        Value::Null => false,
        Value::Object(_) => schema.get("type").is_some_and(|kind| kind == "object"),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => true,
    };
    if !schema.get("default").is_none_or(as_written) {
        schema.remove("default");
    }
    transform_subschemas(&mut as_toml, schema);
}

fn without_null(alternatives: &mut Value) {
    let Some(all) = alternatives.as_array_mut() else { return };
    all.retain(|one| !one.is_null() && one != "null" && one.get("type").is_none_or(|kind| kind != "null"));
    if let [Value::String(kind)] = &mut all[..] {
        *alternatives = std::mem::take(kind).into();
    }
}
