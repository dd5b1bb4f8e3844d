//! Scripts and first messages with placeholders such as `{prospectName}`.

/// What the placeholders stand for.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// `{prospectName}`: the name of the person called.
    pub prospect_name: String,
    /// `{userName}`: the name of the client on whose behalf the call is made.
    pub user_name: String,
    /// `{companyName}`: the client's company, if known.
    pub company_name: Option<String>,
}

/// Why a script can't be read out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// The placeholder is not one that we know.
    #[error(
        "the script holds the unknown placeholder {{{0}}}; use {{prospectName}}, {{userName}} or {{companyName}}"
    )]
    Unknown(String),
    /// The placeholder is known but there is nothing to put there.
    #[error("the script holds {{{0}}}, but no value is stored for it")]
    Missing(&'static str),
    /// A brace was opened and not closed.
    #[error("the script holds an opening brace without a closing one")]
    Unclosed,
}

/// Puts the values in place of the placeholders.
///
/// A placeholder is a name (letters, digits, `_`) between braces. Other uses of braces, as in
/// `{ }` or JSON, are left as they stand.
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
    fn what_cannot_be_filled_is_never_read_out() {
        assert_eq!(filled("Hi {prospectname}"), Err(ScriptError::Unknown("prospectname".into())));
        assert_eq!(filled("{companyName}"), Err(ScriptError::Missing("companyName")));
        assert_eq!(filled("Hi {prospectName"), Err(ScriptError::Unclosed));
    }
}
