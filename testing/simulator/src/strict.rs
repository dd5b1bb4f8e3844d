//! Request checking: what a body may contain, decided by tables.
//!
//! [`read`] walks a JSON value along a [`Shape`] and gives back the same value with unset (null)
//! fields removed and durations in canonical notation. Rules that span several fields live in
//! [`rules`] and [`tools`].

mod carrier;
mod dial;
mod rules;
mod shapes;
mod tool_shapes;
mod tools;
mod voices;

use serde_json::{Map, Value};

use crate::spans;

pub use rules::start_call;
pub use shapes::{FORCED_AGENT_MESSAGE, HANG_UP, USER_TEXT_MESSAGE, WEBHOOK};

/// Why a request is refused, in words for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// A refusal as a result, for use with `?` and tail position.
pub(crate) fn refuse<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(reason.into()))
}

/// The name and the fields of one message type.
#[derive(Debug)]
pub struct Shape {
    /// Name that refusals carry.
    pub name: &'static str,
    /// Every field the type has.
    pub fields: &'static [(&'static str, Kind)],
}

/// What a field holds.
#[derive(Debug)]
pub enum Kind {
    /// Any string.
    Text,
    /// A string of at most so many characters.
    Short(usize),
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A number within bounds.
    Number(f64, f64),
    /// An integer within bounds.
    Whole(i64, i64),
    /// A duration string, never negative.
    Span,
    /// An absolute http or https address of at most 200 characters.
    Link,
    /// Another message.
    Is(&'static Shape),
    /// An array.
    List(&'static Kind),
    /// An object with free keys.
    Keyed(&'static Kind),
    /// Any JSON object.
    Object,
    /// Any JSON value.
    Any,
}

/// Checks a body against a shape and returns it in canonical form.
pub fn read(shape: &Shape, value: &Value) -> Result<Map<String, Value>, Refusal> {
    message(shape, value, "")
}

fn message(shape: &Shape, value: &Value, path: &str) -> Result<Map<String, Value>, Refusal> {
    let Value::Object(object) = value else {
        return refuse(format!("{} must be an object", place(path)));
    };
    let mut clean = Map::new();
    for (name, value) in object {
        let Some((_, kind)) = shape.fields.iter().find(|(field, _)| field == name) else {
            let at = if path.is_empty() { String::new() } else { format!(" at \"{path}\"") };
            return refuse(format!(
                "Message type \"{}\" has no field named \"{name}\"{at}",
                shape.name
            ));
        };
        if !value.is_null() {
            let path = join(path, name);
            clean.insert(name.clone(), field(kind, value, &path)?);
        }
    }
    Ok(clean)
}

fn field(kind: &Kind, value: &Value, path: &str) -> Result<Value, Refusal> {
    let fits = match kind {
        Kind::Text => value.is_string(),
        Kind::Short(limit) => match value.as_str() {
            Some(text) if text.chars().count() > *limit => {
                return refuse(format!("{path} may have at most {limit} characters"));
            }
            text => text.is_some(),
        },
        Kind::Choice(words) => match value.as_str() {
            Some(word) if !words.contains(&word) => {
                return refuse(format!("{path} has no value named \"{word}\""));
            }
            word => word.is_some(),
        },
        Kind::Flag => value.is_boolean(),
        Kind::Number(low, high) => match value.as_f64() {
            Some(number) if !(*low..=*high).contains(&number) => {
                return refuse(format!("{path} must be between {low} and {high}"));
            }
            number => number.is_some(),
        },
        Kind::Whole(low, high) => match value.as_i64() {
            Some(number) if !(*low..=*high).contains(&number) => {
                return refuse(format!("{path} must be between {low} and {high}"));
            }
            number => number.is_some(),
        },
        Kind::Span => return span(value, path),
        Kind::Link => return link(value, path),
        Kind::Is(shape) => return message(shape, value, path).map(Value::Object),
        Kind::List(inner) => match value {
            Value::Array(items) => {
                let items = items.iter().enumerate();
                let clean: Result<Vec<Value>, Refusal> = items
                    .map(|(index, item)| field(inner, item, &format!("{path}[{index}]")))
                    .collect();
                return clean.map(Value::Array);
            }
            _ => false,
        },
        Kind::Keyed(inner) => match value {
            Value::Object(entries) => {
                let clean: Result<Map<String, Value>, Refusal> = entries
                    .iter()
                    .map(|(key, item)| Ok((key.clone(), field(inner, item, &join(path, key))?)))
                    .collect();
                return clean.map(Value::Object);
            }
            _ => false,
        },
        Kind::Object => value.is_object(),
        Kind::Any => true,
    };
    if fits { Ok(value.clone()) } else { refuse(format!("{path} must be {}", noun(kind))) }
}

fn span(value: &Value, path: &str) -> Result<Value, Refusal> {
    match value.as_str().and_then(spans::parse) {
        Some(span) => Ok(Value::String(spans::write(span))),
        None => refuse(format!("{path} must be a duration such as \"30s\"")),
    }
}

fn link(value: &Value, path: &str) -> Result<Value, Refusal> {
    let text = value.as_str().unwrap_or_default();
    let web = url::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !web {
        return refuse(format!("{path} must be an http or https address"));
    }
    if text.len() > 200 {
        return refuse(format!("{path} may have at most 200 characters"));
    }
    Ok(value.clone())
}

fn noun(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Short(_) | Kind::Choice(_) | Kind::Span | Kind::Link => "a string",
        Kind::Flag => "a boolean",
        Kind::Number(..) => "a number",
        Kind::Whole(..) => "an integer",
        Kind::Is(_) | Kind::Keyed(_) | Kind::Object => "an object",
        Kind::List(_) => "an array",
        Kind::Any => "a value",
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn place(path: &str) -> &str {
    if path.is_empty() { "the body" } else { path }
}
