//! What the model says to a tool, held against the tool's declaration.

use serde_json::{Map, Value};

use super::{SelectedTool, ToolDefinition};

/// Everything that is wrong with the arguments, in words.
pub fn check(
    tool: &SelectedTool,
    definition: &ToolDefinition,
    arguments: &Map<String, Value>,
) -> Vec<String> {
    let name = tool.model_name();
    let mut wrong = Vec::new();
    for (argument, value) in arguments {
        let parameter =
            definition.dynamic_parameters.iter().find(|parameter| parameter.name == *argument);
        match parameter {
            _ if tool.parameter_overrides.contains_key(argument) => {
                wrong.push(format!(
                    "tool {name}: argument {argument} is overridden and hidden from the model"
                ));
            }
            None => wrong.push(format!("tool {name}: argument {argument} is not declared")),
            Some(parameter) => {
                let schema = parameter.schema.as_ref();
                if let Some(reason) = schema.and_then(|schema| misfit(schema, value)) {
                    wrong.push(format!("tool {name}: argument {argument} {reason}"));
                }
            }
        }
    }
    for parameter in definition.dynamic_parameters.iter().filter(|parameter| parameter.required) {
        let given = arguments.contains_key(&parameter.name)
            || tool.parameter_overrides.contains_key(&parameter.name);
        if !given {
            wrong.push(format!("tool {name}: required argument {} is missing", parameter.name));
        }
    }
    wrong
}

/// The model's arguments together with the overrides it never sees.
pub fn merged(tool: &SelectedTool, arguments: &Map<String, Value>) -> Map<String, Value> {
    let mut all = arguments.clone();
    all.extend(tool.parameter_overrides.clone());
    all
}

/// Why a value doesn't fit a schema; only `type` and `enum` are looked at.
fn misfit(schema: &Map<String, Value>, value: &Value) -> Option<String> {
    let kind = schema.get("type").and_then(Value::as_str);
    let fits = match kind {
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        _ => true,
    };
    if !fits {
        return Some(format!("is not of type {}", kind.unwrap_or_default()));
    }
    let allowed = schema.get("enum").and_then(Value::as_array)?;
    (!allowed.contains(value)).then(|| format!("has a value outside the enum: {value}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool() -> SelectedTool {
        serde_json::from_value(json!({"temporaryTool": {
            "modelToolName": "report",
            "dynamicParameters": [
                {"name": "outcome", "required": true, "schema": {"type": "string", "enum": ["YES", "NO"]}},
                {"name": "notes", "schema": {"type": "string"}},
            ],
        }}))
        .unwrap()
    }

    fn faults(arguments: Value) -> usize {
        let tool = tool();
        let Value::Object(arguments) = arguments else {
            panic!("arguments are an object");
        };
        check(&tool, tool.temporary_tool.as_ref().unwrap(), &arguments).len()
    }

    #[test]
    fn declared_arguments_pass() {
        assert_eq!(faults(json!({"outcome": "YES"})), 0);
        assert_eq!(faults(json!({"outcome": "NO", "notes": "later"})), 0);
    }

    #[test]
    fn undeclared_missing_mistyped_and_unlisted_arguments_are_named() {
        assert_eq!(faults(json!({"outcome": "YES", "when": "now"})), 1);
        assert_eq!(faults(json!({"notes": "later"})), 1);
        assert_eq!(faults(json!({"outcome": "YES", "notes": 3})), 1);
        assert_eq!(faults(json!({"outcome": "MAYBE"})), 1);
    }
}
