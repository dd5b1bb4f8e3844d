//! Scripts and first messages with placeholders such as `{prospectName}`.
//!
//! What is left of a placeholder would be read out to the callee. So a text that contains one that can't be replaced, or
//! that looks like one of another product, is not used.

use std::collections::BTreeMap;

/// The longest value, in characters. Longer ones are cut.
const MAX_VALUE_CHARS: usize = 100;
/// The longest part of a script that an error repeats, in characters.
const MAX_QUOTED_CHARS: usize = 40;
/// The beginning of the placeholders of a prospect's own columns.
const CUSTOM: &str = "custom.";
/// Placeholders of other products, without blanks, dashes and lower lines and in lower case.
const FOREIGN: [&str; 31] = [
    "name",
    "firstname",
    "lastname",
    "fullname",
    "surname",
    "givenname",
    "prospect",
    "prospectname",
    "customer",
    "customername",
    "contact",
    "contactname",
    "lead",
    "leadname",
    "client",
    "clientname",
    "callee",
    "calleename",
    "user",
    "username",
    "agent",
    "agentname",
    "company",
    "companyname",
    "business",
    "businessname",
    "yourname",
    "yourcompany",
    "phone",
    "email",
    "city",
];

/// The values of the placeholders.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// `{prospectName}`: the name of the person called.
    pub prospect_name: String,
    /// `{userName}`: the name of the user.
    pub user_name: String,
    /// `{companyName}`: the user's company.
    pub company_name: Option<String>,
    /// `{custom.<name>}`: the prospect's own columns.
    pub custom: BTreeMap<String, String>,
}

/// A script can't be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    #[error(
        "the script contains the unknown placeholder {0}; use {{prospectName}}, {{userName}}, {{companyName}} or \
        {{custom.<column>}}, and no other braces"
    )]
    Unknown(String),
    /// The placeholder has no value.
    #[error("the script contains {{{0}}}, which has no value")]
    Missing(String),
    #[error("the script contains an opening brace without a closing one: {0}")]
    Unclosed(String),
    #[error("the script contains a closing brace without an opening one: {0}")]
    Unopened(String),
}

/// Replaces the placeholders by their values.
///
/// A placeholder is a name between braces, single or double, with or without blanks inside. A value is one line of
/// limited length, without braces.
///
/// # Errors
///
/// A placeholder is unknown or has no value, or there are other braces.
pub fn fill(script: &str, values: &Values) -> Result<String, ScriptError> {
    check_foreign(script)?;
    let mut filled = String::with_capacity(script.len() + 32);
    let mut rest = script;
    while let Some(at) = rest.find(['{', '}']) {
        filled.push_str(&rest[..at]);
        let braces = &rest[at..];
        let (open, close) = match braces {
            _ if braces.starts_with("{{") => ("{{", "}}"),
            _ if braces.starts_with('{') => ("{", "}"),
            _ => return Err(ScriptError::Unopened(quote(braces))),
        };
        let inner = &braces[open.len()..];
        let end = inner.find(['{', '}', '\n']).unwrap_or(inner.len());
        if !inner[end..].starts_with('}') {
            return Err(ScriptError::Unclosed(quote(braces)));
        }
        let name = inner[..end].trim();
        if !inner[end..].starts_with(close) {
            return Err(ScriptError::Unknown(quote(&braces[..open.len() + end + 1])));
        }
        let whole = &braces[..open.len() + end + close.len()];
        let value = value(name, values).ok_or_else(|| ScriptError::Unknown(quote(whole)))?;
        let value = to_line(value);
        if value.is_empty() {
            return Err(ScriptError::Missing(name.to_owned()));
        }
        filled.push_str(&value);
        rest = &braces[whole.len()..];
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The value of a placeholder, which may be empty; `None` if there is no such placeholder.
fn value<'v>(name: &str, values: &'v Values) -> Option<&'v str> {
    match name {
        "prospectName" => Some(&values.prospect_name),
        "userName" => Some(&values.user_name),
        "companyName" => Some(values.company_name.as_deref().unwrap_or("")),
        other => {
            let column = other.strip_prefix(CUSTOM).filter(|column| !column.is_empty())?;
            Some(values.custom.get(column).map_or("", String::as_str))
        }
    }
}

/// One line, without what could be taken for a placeholder, for a line of its own or for hidden text.
fn to_line(value: &str) -> String {
    let is_break =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let words = value.split(is_break).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    let is_hidden = |c: &char| matches!(c, '{' | '}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    line.chars()
        .filter(|c| !is_hidden(c))
        .take(MAX_VALUE_CHARS)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Looks for placeholders of other products: `[name]`, `%name%`, `<name>`, `<<name>>`, `$name`.
fn check_foreign(script: &str) -> Result<(), ScriptError> {
    for (open, close) in [('[', ']'), ('%', '%'), ('<', '>')] {
        let mut rest = script;
        while let Some(at) = rest.find(open) {
            let inner = &rest[at + open.len_utf8()..];
            let end = inner.find([open, close, '\n']).unwrap_or(inner.len());
            let (name, after) = inner.split_at(end);
            // `[Agent]: Hello` is a line of a dialogue, `<user>…</user>` a part of a prompt.
            let is_prose = after.strip_prefix(close).is_some_and(|rest| rest.starts_with(':'))
                || (open == '<' && script.contains(&format!("</{name}>")));
            if after.starts_with(close) && is_foreign(name) && !is_prose {
                return Err(ScriptError::Unknown(format!("{open}{name}{close}")));
            }
            rest = inner;
        }
    }
    for (at, _) in script.match_indices('$') {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let word = script[at + 1..].split(|c| !is_part(c)).next().unwrap_or_default();
        if is_foreign(word) {
            return Err(ScriptError::Unknown(format!("${word}")));
        }
    }
    Ok(())
}

fn is_foreign(inner: &str) -> bool {
    let kept = |c: &char| !c.is_whitespace() && !matches!(c, '-' | '_' | '.' | '*');
    let word: String = inner.chars().filter(kept).flat_map(char::to_lowercase).collect();
    FOREIGN.contains(&word.as_str())
}

fn quote(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut quoted: String = line.chars().take(MAX_QUOTED_CHARS).collect();
    if quoted.len() < line.len() {
        quoted.push('…');
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(script: &str) -> Result<String, ScriptError> {
        let values = Values {
            prospect_name: "Ann {userName}".into(),
            user_name: "Bob".into(),
            company_name: None,
            custom: [("company_size".to_owned(), "12".to_owned())].into(),
        };
        fill(script, &values)
    }

    #[test]
    fn known_placeholders_are_replaced_once_in_every_form() {
        for form in ["{userName}", "{{userName}}", "{ userName }", "{{ userName }}", "{\tuserName}"]
        {
            assert_eq!(filled(&format!("Hi, {form} here.")).unwrap(), "Hi, Bob here.", "{form}");
        }
        assert_eq!(filled("Hi {prospectName}{userName}.").unwrap(), "Hi Ann userNameBob.");
        assert_eq!(filled("{custom.company_size} people").unwrap(), "12 people");
        for prose in [
            "no placeholder",
            "[pause] (Name) 50% of <b>all</b> $5 [If asked, wait]",
            "[Agent]: Hello?\n[Customer]: Yes?",
            "<company>We sell clocks.</company>",
            "%d",
            "",
        ] {
            assert_eq!(filled(prose).unwrap(), prose);
        }
    }

    #[test]
    fn text_with_any_other_placeholder_is_rejected_and_it_is_named() {
        for form in [
            "{prospectname}",
            "{firstName}",
            "{first name}",
            "{first-name}",
            "{{first_name}}",
            "{}",
            "{ }",
            "{{}}",
            "{userName:Bob}",
            "${userName",
            "{custom.}",
            "{ \"a\": 1 }",
            "[name]",
            "[First Name]",
            "%name%",
            "%FIRST_NAME%",
            "<name>",
            "<<company>>",
            "$name",
            "$first_name",
            "[*Name*]",
            "{{userName}",
            "{user{Name}}",
            "{1+1}",
        ] {
            let error = filled(&format!("Hi {form}, hello")).unwrap_err();
            assert!(
                matches!(error, ScriptError::Unknown(_) | ScriptError::Unclosed(_)),
                "{form}: {error}"
            );
            let named = error.to_string();
            let shown = form.trim_start_matches('<').chars().take(4).collect::<String>();
            assert!(named.contains(&shown) || form.contains("{user"), "{form}: {named}");
        }
        assert_eq!(filled("{companyName}"), Err(ScriptError::Missing("companyName".into())));
        assert_eq!(filled("{custom.city}"), Err(ScriptError::Missing("custom.city".into())));
        assert_eq!(filled("Hi {prospectName"), Err(ScriptError::Unclosed("{prospectName".into())));
        assert_eq!(filled("Hi {\nuserName}"), Err(ScriptError::Unclosed("{".into())));
        assert_eq!(filled("Hi } there"), Err(ScriptError::Unopened("} there".into())));
    }

    #[test]
    fn value_is_one_short_line() {
        for (value, line) in [
            ("  Ann \n\n---\r\nRules:\u{2028}x\u{85}y\u{b}z\u{1c}!", "Ann --- Rules: x y z !"),
            ("An\u{202e}n\u{200b}", "Ann"),
            ("{{userName}}", "userName"),
            ("\0\n ", ""),
            (&"é".repeat(300), &"é".repeat(100)),
        ] {
            assert_eq!(to_line(value), line);
        }
        let values = Values { prospect_name: "A\nB".into(), ..Values::default() };
        assert_eq!(fill("Call {prospectName}.", &values).unwrap(), "Call A B.");
    }
}
