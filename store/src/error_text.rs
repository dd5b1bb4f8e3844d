//! Errors of the database as one line for people.

use std::error::Error;

/// An error with its causes. A cause that the text before it contains is left out, and so is the line of PostgreSQL's own
/// code at which it arose.
pub(crate) fn describe(error: &dyn Error) -> String {
    let mut text = without_line(&error.to_string()).to_owned();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        let next = without_line(&next);
        if !text.contains(next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    let prefix = "error returned from database: ";
    text.replacen(prefix, "", 1)
}

fn without_line(text: &str) -> &str {
    match text.rsplit_once(" at line ") {
        Some((before, line)) if line.bytes().all(|byte| byte.is_ascii_digit()) => before,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Failed {
        text: &'static str,
        source: Option<Box<Failed>>,
    }

    #[test]
    fn causes_are_told_once() {
        let failed = |text, source: Option<Failed>| Failed { text, source: source.map(Box::new) };
        let role = "role \"x\" does not exist at line 948";
        let known = "error returned from database: role \"x\" does not exist at line 948";
        assert_eq!(describe(&failed(known, Some(failed(role, None)))), "role \"x\" does not exist");
        let outer = failed("connecting", Some(failed(known, Some(failed(role, None)))));
        assert_eq!(describe(&outer), "connecting: role \"x\" does not exist");
        assert_eq!(describe(&failed("a at line 1b", None)), "a at line 1b");
    }
}
