//! Scripts and first messages with placeholders such as `{prospectName}`.

/// The values of the placeholders.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// `{prospectName}`: the name of the person called.
    pub prospect_name: String,
    /// `{userName}`: the name of the user.
    pub user_name: String,
    /// `{companyName}`: the user's company.
    pub company_name: Option<String>,
}

/// A script can't be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    #[error(
        "the script contains the unknown placeholder {{{0}}}; use {{prospectName}}, {{userName}} or {{companyName}}"
    )]
    Unknown(String),
    /// The placeholder has no value.
    #[error("the script contains {{{0}}}, which has no value")]
    Missing(&'static str),
    #[error("the script contains an opening brace without a closing one")]
    Unclosed,
}

/// Replaces the placeholders by their values.
///
/// A placeholder is a name (letters, digits, `_`) between braces. Other uses of braces, as in
/// `{ }` or JSON, stay unchanged.
pub fn fill(script: &str, values: &Values) -> Result<String, ScriptError> {
    let mut filled = String::with_capacity(script.len() + 32);
    let mut rest = script;
    while let Some(open) = rest.find('{') {
        filled.push_str(&rest[..open]);
        let after = &rest[open + 1..];
        let length =
            after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        let name = &after[..length];
        if name.is_empty() {
            filled.push('{');
            rest = after;
        } else if after[length..].starts_with('}') {
            filled.push_str(value(name, values)?);
            rest = &after[length + 1..];
        } else if after[length..].is_empty() {
            return Err(ScriptError::Unclosed);
        } else {
            filled.push('{');
            rest = after;
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

fn value<'v>(name: &str, values: &'v Values) -> Result<&'v str, ScriptError> {
    let (label, text) = match name {
        "prospectName" => ("prospectName", values.prospect_name.as_str()),
        "userName" => ("userName", values.user_name.as_str()),
        "companyName" => ("companyName", values.company_name.as_deref().unwrap_or("")),
        other => return Err(ScriptError::Unknown(other.to_owned())),
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(ScriptError::Missing(label));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(script: &str) -> Result<String, ScriptError> {
        let values = Values {
            prospect_name: "Ann {userName}".into(),
            user_name: "Bob".into(),
            company_name: None,
        };
        fill(script, &values)
    }

    #[test]
    fn known_placeholders_are_replaced_once() {
        assert_eq!(
            filled("Hi {prospectName}, {userName} here.").unwrap(),
            "Hi Ann {userName}, Bob here."
        );
        assert_eq!(filled("no placeholder").unwrap(), "no placeholder");
        assert_eq!(filled("{ \"a\": {} } {1+1}").unwrap(), "{ \"a\": {} } {1+1}");
    }

    #[test]
    fn script_that_cannot_be_filled_is_rejected() {
        assert_eq!(filled("Hi {prospectname}"), Err(ScriptError::Unknown("prospectname".into())));
        assert_eq!(filled("{companyName}"), Err(ScriptError::Missing("companyName")));
        assert_eq!(filled("Hi {prospectName"), Err(ScriptError::Unclosed));
    }
}
